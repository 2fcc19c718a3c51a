// SPDX-License-Identifier: BSD-2-Clause
/* Garbage collections as runtimes themselves mark them for tracers: exactly when, how long, how many. The marks are looked
 * for in the files of runtimes as they are met; a process that runs none pays nothing. The pause probe tells the long ones. */
#include "collector.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "log.h"
#include "map_take.h"
#include "mappings.h"
#include "mem.h"
#include "probe.h"
#include "symbolizer.h"

enum { TIME, LOST, LEFT };

/* A mark costs about a microsecond, on a virtual machine within another one ten: a runtime that collects more often than
 * this on each CPU is left alone again, and seen from outside, as those are that have no marks. */
enum { MOST_A_SECOND = 500 };

/* Ruby's sweeps are left out: they are done in pieces, at many allocations. */
static const char *const begins[] = {"hotspot:gc__begin", "python:gc__start", "ruby:gc__mark__begin", "node:gc__start", NULL};
static const char *const ends[] = {"hotspot:gc__end", "python:gc__done", "ruby:gc__mark__end", "node:gc__done", NULL};

struct attached_mark {
	uint32_t image;
	struct bpf_link *link;
};

struct collector_state {
	struct probe_state probe;
	struct bpf_program *begins, *ends;
	int sums;
	struct attached_mark *attached;
	size_t count, capacity;
	uint64_t lost, left;
	uint64_t since_ns; /* the last slice's end */
};

/* What is said of a file comes from who reads it, and is checked before a program that runs is touched: a mark is an
 * instruction that does nothing, and its counter begins as zero. */
static bool is_mark(int fd, const struct symbol *mark)
{
#ifdef __aarch64__
	static const uint8_t nop[] = {0x1f, 0x20, 0x03, 0xd5};
#else
	static const uint8_t nop[] = {0x90};
#endif
	uint8_t code[sizeof(nop)];
	uint16_t counter = 0;

	return pread(fd, code, sizeof(code), (off_t)mark->start) == sizeof(code) && !memcmp(code, nop, sizeof(nop)) &&
	       (!mark->size || (pread(fd, &counter, sizeof(counter), (off_t)mark->size) == sizeof(counter) && !counter));
}

static void attach_mark(struct collector_state *s, const struct bpf_program *program, uint32_t image, int fd,
			const struct symbol *mark)
{
	LIBBPF_OPTS(bpf_uprobe_opts, options, .ref_ctr_offset = mark->size);
	char path[32];

	if (!is_mark(fd, mark))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct bpf_link *link = bpf_program__attach_uprobe_opts(program, -1, path, mark->start, &options);
	if (!link) {
		log_debug("attach to %s: %s", mark->name, strerror(errno));
		return;
	}
	GROW(s->attached, s->count, s->capacity);
	s->attached[s->count++] = (struct attached_mark){image, link};
}

static bool contains(const char *const *names, const char *name)
{
	while (*names && strcmp(*names, name))
		names++;
	return *names;
}

/* Ends first: what begins then has an end. */
static void found(void *arg, uint32_t image, int fd, const struct symbol *marks, size_t count)
{
	struct collector_state *s = arg;

	for (size_t i = 0; i < count; i++)
		if (contains(ends, marks[i].name))
			attach_mark(s, s->ends, image, fd, &marks[i]);
	for (size_t i = 0; i < count; i++)
		if (contains(begins, marks[i].name))
			attach_mark(s, s->begins, image, fd, &marks[i]);
}

/* Whether it can be done here shows at once, and not when the first runtime is met. Nobody runs a file's first byte. */
static int try_attach(const struct collector_state *s)
{
	struct bpf_link *link = bpf_program__attach_uprobe_opts(s->ends, -1, "/proc/self/exe", 0, NULL);

	return link ? bpf_link__destroy(link) : -errno;
}

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct collector_state *s = arg;

	s->begins = bpf_object__find_program_by_name(object, "collection_begins");
	s->ends = bpf_object__find_program_by_name(object, "collection_ends");
	s->sums = bpf_object__find_map_fd_by_name(object, "collected");
	if (!s->begins || !s->ends || s->sums < 0)
		return fail(-ENOENT, "find its programs");
	int r = try_attach(s);
	if (r < 0)
		return fail(r, "attach to marks in programs (uprobes)");
	stacks_find_marks(c->stacks, c->filter, found, s);
	return 0;
}

/* The runtime that this process runs; 0: none that is attached to. */
static uint32_t image_of(const struct collector_state *s, const struct process *p)
{
	for (size_t i = 0; p && i < s->count; i++)
		for (size_t k = 0; k < mappings_count(p->mappings); k++)
			if (mappings_get(p->mappings, k)->module == s->attached[i].image)
				return s->attached[i].image;
	return 0;
}

static void leave(struct collector_state *s, uint32_t image)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->attached[i].image == image)
			bpf_link__destroy(s->attached[i].link);
		else
			s->attached[kept++] = s->attached[i];
	s->left += image != 0;
	s->count = kept;
}

struct taken {
	uint64_t count, most; /* collections in all, and of the process that had the most: */
	uint32_t pid;
};

static struct taken take(struct capture *c, const struct collector_state *s, bool write)
{
	struct map_pass pass = {0};
	struct taken taken = {0};
	struct collected sum;
	uint32_t pid;

	while (map_take(s->sums, &pass, &pid, sizeof(pid), &sum) == 0) {
		const struct thread *t = write ? tasks_recent(c->tasks, pid, pid) : NULL;

		if (t)
			capture_add(c, s->probe.first_metric + TIME, t->id, 0, 0, sum.count, (int64_t)sum.ns);
		taken.count += sum.count;
		if (sum.count <= taken.most)
			continue;
		taken.most = sum.count;
		taken.pid = pid;
	}
	return taken;
}

static void start(struct capture *c, void *arg)
{
	struct collector_state *s = arg;

	take(c, s, false);
	s->since_ns = c->start_ns;
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct collector_state *s = arg;
	uint64_t lost = capture_counter(c, LOST_COLLECTIONS);
	struct taken taken = take(c, s, true);
	double most = MOST_A_SECOND * (double)(now_ns - s->since_ns) / NS_PER_S * c->cpu_count;

	s->since_ns = now_ns;
	if ((double)taken.count > most)
		leave(s, image_of(s, tasks_find_process(c->tasks, taken.pid)));
	if (lost > s->lost)
		capture_gauge(c, s->probe.first_metric + LOST, 0, (double)(lost - s->lost));
	if (s->left)
		capture_gauge(c, s->probe.first_metric + LEFT, 0, (double)s->left);
	s->lost = lost;
}

static void detach(struct capture *c, void *arg)
{
	struct collector_state *s = arg;

	for (size_t i = 0; i < s->count; i++)
		bpf_link__destroy(s->attached[i].link);
	s->count = 0;
	stacks_find_marks(c->stacks, false, NULL, NULL);
}

static void stop(struct capture *c, void *arg)
{
	free(((struct collector_state *)arg)->attached);
}

extern const char perfscope_collector_object[];
extern const unsigned long perfscope_collector_object_size;

const struct probe probe_collector = {
	.name = "collector",
	.help = "garbage collections as HotSpot, CPython, Ruby and Node mark them for tracers (USDT), where they are built with marks",
	.metrics = (const struct probe_metric[]){
		[TIME] = {"gc.time", "ns", "by process: in its garbage collector, from mark to mark; count: collections"},
		[LOST] = {"lost.collections", "count", "collections that were not counted"},
		[LEFT] = {"gc.left", "count", "files of runtimes whose marks are left alone, because they collect too often to time each"},
		{0}},
	.object = perfscope_collector_object,
	.object_size = &perfscope_collector_object_size,
	.state_size = sizeof(struct collector_state),
	.attach = attach,
	.start = start,
	.slice = slice,
	.detach = detach,
	.stop = stop,
};
