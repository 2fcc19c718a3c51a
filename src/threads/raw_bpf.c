// SPDX-License-Identifier: BSD-2-Clause
#include "raw.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "buf.h"
#include "fail.h"
#include "io.h"
#include "log_libbpf.h"
#include "mem.h"

extern const char perfscope_threads_object[];
extern const unsigned long perfscope_threads_object_size;

struct raw_source {
	struct bpf_object *object;
	struct bpf_link *link;
	int wanted;
};

int raw_bpf_new(struct raw_source **ret)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "threads");
	_cleanup_(raw_bpf_freep) struct raw_source *s = xcalloc(1, sizeof(*s));
	int r;

	libbpf_set_print(log_libbpf);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL & ~LIBBPF_STRICT_AUTO_RLIMIT_MEMLOCK);
	s->object = bpf_object__open_mem(perfscope_threads_object, perfscope_threads_object_size,
					 &options);
	if (!s->object)
		return fail(-errno, "open the BPF program that lists threads");
	r = bpf_object__load(s->object);
	if (r < 0)
		return fail(r, "load the BPF program that lists threads");
	s->link = bpf_program__attach_iter(bpf_object__find_program_by_name(s->object, "threads"),
					   NULL);
	if (!s->link)
		return fail(-errno, "attach the BPF program that lists threads");
	s->wanted = bpf_object__find_map_fd_by_name(s->object, "wanted");
	*ret = s;
	s = NULL;
	return 0;
}

void raw_bpf_free(struct raw_source *s)
{
	if (!s)
		return;
	bpf_link__destroy(s->link);
	bpf_object__close(s->object);
	free(s);
}

static int want(struct raw_source *s, const uint32_t *pids, size_t count)
{
	uint32_t key, one = 1;

	while (!bpf_map_get_next_key(s->wanted, NULL, &key))
		bpf_map_delete_elem(s->wanted, &key);
	for (size_t i = 0; i < count; i++)
		if (bpf_map_update_elem(s->wanted, &pids[i], &one, BPF_ANY) < 0)
			return fail(-errno, "select the process %u", pids[i]);
	return 0;
}

/* Reading the clock of this CPU comes late by up to a tick; the latest of many looks is the best.
 */
static void note_clock(struct raw_threads *t, const struct thread_record *r)
{
	int64_t offset = (int64_t)(r->now_ns - r->clock_ns);

	if (!r->clock_ns || (t->clock_known && offset >= t->clock_offset))
		return;
	t->clock_known = true;
	t->clock_offset = offset;
}

int raw_bpf_read(struct raw_source *s, const uint32_t *pids, size_t count, struct raw_threads *ret)
{
	const size_t head = offsetof(struct thread_record, kernel);
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	_cleanup_close_ int fd = -1;
	int r = want(s, pids, count);

	if (r < 0)
		return r;
	ret->count = 0;
	sched_yield(); /* the scheduler looks at its clock */
	fd = bpf_iter_create(bpf_link__fd(s->link));
	if (fd < 0)
		return fail(-errno, "start the list of threads");
	r = read_iterator(fd, SIZE_MAX, &b);
	if (r < 0)
		return fail(r, "read the list of threads");
	for (size_t at = 0; b.len - at >= head;) {
		struct raw_thread *t = raw_add(ret);

		memcpy(&t->r, b.data + at, head);
		at += head;
		if (t->r.depth > THREAD_KERNEL_DEPTH || b.len - at < t->r.depth * sizeof(u64))
			return fail(-EIO, "the list of threads is cut off");
		memcpy(t->r.kernel, b.data + at, t->r.depth * sizeof(u64));
		at += t->r.depth * sizeof(u64);
		t->r.comm[COMM_LENGTH - 1] = 0;
		note_clock(ret, &t->r);
	}
	raw_sort(ret);
	return 0;
}
