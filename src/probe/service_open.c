// SPDX-License-Identifier: BSD-2-Clause
#include "service_open.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fail.h"
#include "iterator.h"
#include "log.h"
#include "service.h"
#include "tcp_name.h"

static bool can_list(void)
{
	static const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int type = libbpf_find_vmlinux_btf_id("bpf_sk_storage_map", BPF_TRACE_ITER);
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_ITER, .attach_btf_id = (uint32_t)type);
	int fd = type > 0 ? bpf_prog_load(BPF_PROG_TYPE_TRACING, NULL, "Dual BSD/GPL", nothing, 2, &options) : -1;

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

void service_open_choose(struct bpf_object *object)
{
	bool list = can_list();

	bpf_program__set_autoload(bpf_object__find_program_by_name(object, "list_open"), list);
	bpf_program__set_autoload(bpf_object__find_program_by_name(object, "walk_open"), !list);
}

struct bpf_link *service_open_attach(struct bpf_object *object)
{
	struct bpf_program *lists = bpf_object__find_program_by_name(object, "list_open");
	union bpf_iter_link_info info = {.map.map_fd = (uint32_t)bpf_object__find_map_fd_by_name(object, "connections")};
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link = bpf_program__autoload(lists) ?
		bpf_program__attach_iter(lists, &options) :
		bpf_program__attach_iter(bpf_object__find_program_by_name(object, "walk_open"), NULL);

	if (!link)
		log_debug("requests without an answer cannot be listed: %s", strerror(errno));
	return link;
}

uint32_t service_unix_resource(struct capture *c, const char *path, uint32_t length)
{
	char name[SERVICE_PATH_BYTES + 1];

	memcpy(name, path, SERVICE_PATH_BYTES);
	name[length < SERVICE_PATH_BYTES ? length : SERVICE_PATH_BYTES] = 0;
	if (!*name)
		*name = '@';
	return capture_resource(c, "service", name);
}

static uint32_t resource_of(struct capture *c, const struct service_open *o)
{
	char name[TCP_NAME_BYTES];

	if (!o->key.port)
		return service_unix_resource(c, o->path, o->path_length);
	tcp_name(o->key.address, o->key.port, name);
	return capture_resource(c, "service", name);
}

static void add(struct capture *c, const struct service_open *o, uint32_t metrics, const struct map *servers)
{
	uint32_t resource = resource_of(c, o);
	const struct thread *t = o->tid ? tasks_known(c->tasks, o->tid, o->tgid) : NULL;
	uint64_t server = 0, weight = 1ull << (o->shift & 31);

	if (!o->tid && map_get(servers, resource, &server))
		t = (const struct thread *)(uintptr_t)server;
	if (o->kind < OPEN_KINDS && (!c->filter || (t && t->process->selected)))
		capture_add(c, metrics + o->kind, t ? t->id : 0, 0, resource, weight, (int64_t)(o->ns * weight));
}

void service_open_add(struct capture *c, struct bpf_link *link, uint32_t metrics, const struct map *servers)
{
	_cleanup_(buf_done) struct buf bytes = BUF_INIT;

	if (!link)
		return;
	if (iterator_read(bpf_link__fd(link), "requests without an answer", &bytes) < 0) {
		log_debug("%s", fail_message());
		return;
	}
	for (size_t at = 0; at + sizeof(struct service_open) <= bytes.len; at += sizeof(struct service_open)) {
		struct service_open o;

		memcpy(&o, bytes.data + at, sizeof(o));
		add(c, &o, metrics, servers);
	}
}
