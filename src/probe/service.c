// SPDX-License-Identifier: BSD-2-Clause
/* Service times: how long requests wait for their answer, what that time goes into, and who calls whom. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "fail.h"
#include "hash.h"
#include "mem.h"
#include "probe.h"
#include "service.h"
#include "service_open.h"
#include "tcp_name.h"

enum { REQUEST, REQUEST_PART, CALL = REQUEST_PART + PARTS, CALLS, OPEN, LOST = OPEN + OPEN_KINDS };

#define LATENCY_TABLE_BYTES (SERVICE_COUNT * sizeof(struct service_latency))
#define SUMS_TABLE_BYTES (SERVICE_THREADS * sizeof(struct service_sums))

enum { IDLE_SLICES = 3 }; /* an entry that nothing was added to for so long is free again */

struct service_state {
	struct probe_state probe;
	struct service_latency *latencies, *latencies_taken; /* the kernel's tables, mapped, and what is in the recording */
	struct service_sums *sums, *sums_taken;
	struct service_used *used; /* likewise: set there, cleared here before an entry is freed */
	uint8_t latency_idle[SERVICE_COUNT], sums_idle[SERVICE_THREADS]; /* slices without a change */
	struct map *servers; /* resource -> the struct thread of one that answers it */
	struct map *names; /* hash of the address of a Unix socket's name -> index in latencies */
	struct bpf_link *open;
	uint64_t lost;
};

static bool has(const struct bpf_object *object, const char *name)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	return program && bpf_program__autoload(program);
}

static void use(const struct bpf_object *object, const char *name, bool on)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (program)
		bpf_program__set_autoload(program, on);
}

static bool has_function(const struct btf *kernel, const char *name)
{
	return kernel && btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC) > 0;
}

/* The kernel's functions. */
static int choose_functions(const struct bpf_object *object, const struct btf *kernel)
{
	static const char *const functions[] = {"on_tcp_sendmsg", "on_readable", "on_inet_recvmsg", "on_unix_stream_recvmsg"};

	/* 8e4597c627fb ("bpf: Allow using bpf_sk_storage in FENTRY/FEXIT/RAW_TP", 5.11); atomic exchange came with 5.12. */
	if (!has_function(kernel, "bpf_sk_storage_get_tracing"))
		return failx(-EOPNOTSUPP, "keep state with sockets: that takes Linux 5.12");
	use(object, "sock_send_length", false);
	use(object, "sock_recv_length", false);
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		use(object, functions[i], true);
	use(object, "on_inet6_recvmsg", has_function(kernel, "inet6_recvmsg"));
	return 0;
}

/* Tracepoints where the kernel has them (6.3): nothing stands in their way. */
static int choose_hooks(const struct bpf_object *object, bool *ret_sees_sending)
{
	*ret_sees_sending = true;
	if (has(object, "sk_data_ready") && has(object, "sock_recv_length")) {
		*ret_sees_sending = has(object, "tcp_sendmsg_locked");
		use(object, "sock_send_length", !*ret_sees_sending);
		return 0;
	}
	struct btf *kernel = btf__load_vmlinux_btf();
	int r = choose_functions(object, kernel);

	btf__free(kernel);
	return r;
}

static int prepare(const struct capture *c, struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.service");
	bool sees_sending;
	int r = choose_hooks(object, &sees_sending);

	if (r < 0)
		return r;
	service_open_choose(object);
	return map ? bpf_map__set_initial_value(map, &(uint8_t){sees_sending}, 1) : -ENOENT;
}

static int map_table(struct bpf_object *object, const char *name, size_t bytes, void *ret_table)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);
	void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (table == MAP_FAILED)
		return fail(-errno, "map the BPF map '%s' into memory", name);
	*(void **)ret_table = table;
	return 0;
}

static int attach(struct capture *c, struct bpf_object *object, void *arg)
{
	struct service_state *s = arg;
	int r = map_table(object, "latencies", LATENCY_TABLE_BYTES, &s->latencies);

	if (r < 0 || (r = map_table(object, "sums", SUMS_TABLE_BYTES, &s->sums)) < 0 ||
	    (r = map_table(object, "used", sizeof(*s->used), &s->used)) < 0)
		return r;
	s->latencies_taken = xcalloc(SERVICE_COUNT, sizeof(*s->latencies_taken));
	s->sums_taken = xcalloc(SERVICE_THREADS, sizeof(*s->sums_taken));
	s->open = service_open_attach(object);
	return 0;
}

static uint32_t resource_of(struct capture *c, const struct service_state *s, const struct service_key *key)
{
	char name[TCP_NAME_BYTES];
	uint64_t index;

	if (!key->port)
		return map_get(s->names, hash_bytes(key->address, sizeof(key->address)), &index) ?
			       service_unix_resource(c, s->latencies[index].path, s->latencies[index].path_length) : 0;
	tcp_name(key->address, key->port, name);
	return capture_resource(c, "service", name);
}

static void add_latency(struct capture *c, const struct service_state *s, uint32_t i)
{
	const struct service_latency *e = &s->latencies[i];
	uint32_t metric = s->probe.first_metric + (e->key.side == SERVICE_ANSWERS ? REQUEST : CALL);
	uint32_t resource = resource_of(c, s, &e->key);

	for (uint32_t b = 0; b < LATENCY_BUCKETS; b++)
		if (e->histogram[b] > s->latencies_taken[i].histogram[b])
			capture_histogram(c, metric, resource, b, e->histogram[b] - s->latencies_taken[i].histogram[b]);
}

/* The next entry in use, from i on; count when there is none. */
static uint32_t next_used(const uint8_t *used, uint32_t i, uint32_t count)
{
	const uint8_t *found = i < count ? memchr(used + i, 1, count - i) : NULL;

	return found ? (uint32_t)(found - used) : count;
}

/* The kernel may take the entry again as soon as its id is 0, and says so then. */
static void free_entry(uint64_t *id, uint8_t *used)
{
	*used = 0;
	__atomic_store_n(id, 0, __ATOMIC_RELEASE);
}

/* Whether an entry stays: *idle counts the slices in which nothing was added. */
static bool still_used(uint8_t *idle, bool changed)
{
	*idle = changed ? 0 : (uint8_t)(*idle + 1);
	return *idle < IDLE_SLICES;
}

static void take_latencies(struct capture *c, struct service_state *s, bool write)
{
	const uint8_t *used = s->used->latencies;

	for (uint32_t i = next_used(used, 0, SERVICE_COUNT); i < SERVICE_COUNT; i = next_used(used, i + 1, SERVICE_COUNT)) {
		struct service_latency *e = &s->latencies[i], *taken = &s->latencies_taken[i];

		bool changed = memcmp(e->histogram, taken->histogram, sizeof(e->histogram));
		if (write && changed)
			add_latency(c, s, i);
		*taken = *e;
		if (!still_used(&s->latency_idle[i], changed)) {
			memset(taken, 0, sizeof(*taken));
			free_entry(&e->id, &s->used->latencies[i]);
		}
	}
}

/* Whose service it is, as far as it is on this host. */
static void add_edge(struct capture *c, const struct service_state *s, const struct thread *caller, uint32_t resource,
		     uint64_t count, uint64_t ns)
{
	uint64_t server = 0;

	map_get(s->servers, resource, &server);
	const struct thread *other = (const struct thread *)(uintptr_t)server;
	store_add_edge(c->store, &(struct edge_row){
		.slice = c->slice, .kind = s->probe.first_metric + CALLS, .task = caller->id, .other_task = other ? other->id : 0,
		.resource = resource, .count = count, .ns = ns});
}

static void find_servers(struct capture *c, struct service_state *s)
{
	const uint8_t *used = s->used->sums;

	for (uint32_t i = next_used(used, 0, SERVICE_THREADS); i < SERVICE_THREADS; i = next_used(used, i + 1, SERVICE_THREADS)) {
		const struct service_sums *e = &s->sums[i];
		const struct thread *t = e->key.side == SERVICE_ANSWERS ? tasks_known(c->tasks, e->tid, e->tgid) : NULL;

		if (t)
			map_put(s->servers, resource_of(c, s, &e->key), (uintptr_t)t);
	}
}

static void add_sums(struct capture *c, const struct service_state *s, uint32_t i)
{
	const struct service_sums *e = &s->sums[i], *taken = &s->sums_taken[i];
	const struct thread *t = tasks_recent(c->tasks, e->tid, e->tgid);
	uint32_t first = s->probe.first_metric;

	if (!t || (c->filter && !t->process->selected))
		return;
	uint32_t resource = resource_of(c, s, &e->key);
	if (e->key.side == SERVICE_CALLS) {
		capture_add(c, first + CALL, t->id, 0, resource, e->count - taken->count, e->ns - taken->ns);
		add_edge(c, s, t, resource, e->count - taken->count, e->ns - taken->ns);
		return;
	}
	capture_add(c, first + REQUEST, t->id, 0, resource, e->count - taken->count, e->ns - taken->ns);
	for (uint32_t p = 0; p < PARTS; p++)
		if (e->part[p] > taken->part[p])
			capture_add(c, first + REQUEST_PART + p, t->id, 0, resource, 0, e->part[p] - taken->part[p]);
}

static void take_sums(struct capture *c, struct service_state *s, bool write)
{
	const uint8_t *used = s->used->sums;

	for (uint32_t i = next_used(used, 0, SERVICE_THREADS); i < SERVICE_THREADS; i = next_used(used, i + 1, SERVICE_THREADS)) {
		struct service_sums *e = &s->sums[i], *taken = &s->sums_taken[i];

		bool changed = e->count != taken->count;
		if (write && changed)
			add_sums(c, s, i);
		*taken = *e;
		if (!still_used(&s->sums_idle[i], changed)) {
			memset(taken, 0, sizeof(*taken));
			free_entry(&e->id, &s->used->sums[i]);
		}
	}
}

static void take(struct capture *c, struct service_state *s, bool write)
{
	s->names = map_new();
	const uint8_t *used = s->used->latencies;

	for (uint32_t i = next_used(used, 0, SERVICE_COUNT); i < SERVICE_COUNT; i = next_used(used, i + 1, SERVICE_COUNT))
		if (!s->latencies[i].key.port)
			map_put(s->names, hash_bytes(s->latencies[i].key.address, 16), i);
	s->servers = map_new();
	find_servers(c, s);
	take_sums(c, s, write);
	take_latencies(c, s, write);
	if (write)
		service_open_add(c, s->open, s->probe.first_metric + OPEN, s->servers);
	map_free(s->names);
	map_free(s->servers);
	s->names = s->servers = NULL;
}

static void start(struct capture *c, void *arg)
{
	struct service_state *s = arg;

	s->lost = capture_counter(c, LOST_SERVICES);
	take(c, s, false);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct service_state *s = arg;
	uint64_t now = capture_counter(c, LOST_SERVICES);

	take(c, s, true);
	if (now > s->lost)
		capture_gauge(c, s->probe.first_metric + LOST, 0, (double)(now - s->lost));
	s->lost = now;
}

static void stop(struct capture *c, void *arg)
{
	struct service_state *s = arg;

	bpf_link__destroy(s->open);
	if (s->latencies)
		munmap(s->latencies, LATENCY_TABLE_BYTES);
	if (s->sums)
		munmap(s->sums, SUMS_TABLE_BYTES);
	if (s->used)
		munmap(s->used, sizeof(*s->used));
	free(s->latencies_taken);
	free(s->sums_taken);
}

extern const char perfscope_service_object[];
extern const unsigned long perfscope_service_object_size;

const struct probe probe_service = {
	.name = "service",
	.help = "how long services take to answer, what that time goes into, and who calls whom",
	.metrics = (const struct probe_metric[]){
		[REQUEST] = {"request.time", "ns", "by answering thread and service: from a request that can be read to the first "
			     "byte of its answer; its parts are request.*"},
		[REQUEST_PART + PART_QUEUE] = {"request.queue", "ns", "no thread had received it, or taken it over, or was in line "
					       "for a CPU to do so"},
		[REQUEST_PART + PART_RUNQUEUE] = {"request.runqueue", "ns", "its thread waited for a CPU"},
		[REQUEST_PART + PART_CPU] = {"request.cpu", "ns", "its thread ran"},
		[REQUEST_PART + PART_LOCK] = {"request.lock", "ns", "its thread waited for a lock"},
		[REQUEST_PART + PART_DISK] = {"request.disk", "ns", "its thread waited for a disk"},
		[REQUEST_PART + PART_MEMORY] = {"request.memory", "ns", "its thread waited for a page's content or for free memory"},
		[REQUEST_PART + PART_PEER] = {"request.peer", "ns", "its thread waited on sockets or pipes"},
		[REQUEST_PART + PART_OTHER] = {"request.other", "ns", "its thread slept, was stopped, or waited for something else"},
		[REQUEST_PART + PART_ELSEWHERE] = {"request.elsewhere", "ns", "with threads of which nothing is known"},
		[CALL] = {"call.time", "ns", "by calling thread and service: from what was sent last to the first byte of the answer"},
		[CALLS] = {"service.call", "count", "who calls which process's service"},
		[OPEN + OPEN_HELD] = {"open.request", "ns", "by the thread that received them and service: requests without an answer for "
				      "a second or longer, so far; a level: take the last one, not the sum"},
		[OPEN + OPEN_UNREAD] = {"open.unread", "ns", "likewise, that no thread has received; by a thread that has answered there, if one has"},
		[OPEN + OPEN_CALL] = {"open.call", "ns", "likewise, calls without an answer, by the thread that waits for it"},
		[LOST] = {"lost.services", "count", "requests and calls that were not counted"},
		{0}},
	.object = perfscope_service_object,
	.object_size = &perfscope_service_object_size,
	.state_size = sizeof(struct service_state),
	.prepare = prepare,
	.attach = attach,
	.start = start,
	.slice = slice,
	.stop = stop,
};
