// SPDX-License-Identifier: BSD-2-Clause
#include "shared_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buf.h"
#include "capture.h"
#include "cleanup.h"
#include "fail.h"
#include "io.h"
#include "wire.h"

#define PYTHON_PROCESSES 4096
#define PYTHON_CODES 16384 /* known to user space at a time, of all processes */

#define LEAST_SLOTS 16384 /* of threads */

/* Half a second of copied stacks of every CPU: so long the reader may be kept from running. */
#define RING_BYTES_A_CPU (512u << 10)
#define LEAST_RING_BYTES (4u << 20)
#define MOST_RING_BYTES (16u << 20)

static const char *const names[SHARED_COUNT] = {
	[SHARED_RECORDS] = "records",
	[SHARED_TASKS] = "tasks",
	[SHARED_CPUS] = "cpus",
	[SHARED_PYTHON_PROCESSES] = "python_processes",
	[SHARED_PYTHON_CODES] = "python_codes",
};

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t n = 1;

	while (n < at_least)
		n *= 2;
	return n;
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

/* An array that is mapped into memory, too. */
static int create_array(struct shared_maps *s, enum shared_map which, size_t value_size, uint32_t count, void **ret_memory,
			size_t *ret_bytes)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, names[which], sizeof(uint32_t), (uint32_t)value_size, count, &options);

	if (fd < 0)
		return fail(-errno, "create the BPF map '%s'", names[which]);
	s->fd[which] = fd;
	*ret_bytes = whole_pages(value_size * count);
	void *memory = mmap(NULL, *ret_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return fail(-errno, "map the BPF map '%s' into memory", names[which]);
	*ret_memory = memory;
	return 0;
}

/* Room for four times the threads that are there now: in a table that is a quarter full a thread finds all of its places
 * taken once in 65,000 times, and where pids stay below its length never. */
static uint32_t slots_for(uint32_t threads)
{
	uint32_t wanted = threads > 25000 ? 100000 : threads * 4;

	return power_of_two(wanted < LEAST_SLOTS ? LEAST_SLOTS : wanted);
}

static int create_tables(struct shared_maps *s, struct capture *c, uint32_t threads)
{
	void *memory;
	int r;

	c->task_slot_count = slots_for(threads);
	r = create_array(s, SHARED_TASKS, sizeof(struct task_slot), c->task_slot_count, &memory, &s->task_bytes);
	if (r < 0)
		return r;
	c->task_slots = memory;
	r = create_array(s, SHARED_CPUS, sizeof(struct cpu_slot), c->cpu_count, &memory, &s->cpu_bytes);
	if (r < 0)
		return r;
	c->cpu_slots = memory;
	return 0;
}

static int create_ring(struct shared_maps *s, uint32_t cpu_count, uint32_t stack_bytes)
{
	uint32_t usual = STACK_PAGES * PAGE_BYTES;
	uint32_t times = stack_bytes > usual ? power_of_two((stack_bytes + usual - 1) / usual) : 1;
	uint32_t bytes = power_of_two(cpu_count * RING_BYTES_A_CPU);

	bytes = bytes < LEAST_RING_BYTES ? LEAST_RING_BYTES : bytes;
	s->ring_bytes = (bytes > MOST_RING_BYTES ? MOST_RING_BYTES : bytes) * times;
	s->fd[SHARED_RECORDS] = bpf_map_create(BPF_MAP_TYPE_RINGBUF, names[SHARED_RECORDS], 0, 0, s->ring_bytes, NULL);
	return s->fd[SHARED_RECORDS] < 0 ? fail(-errno, "create the BPF ring buffer (kernel 5.8 or newer is needed)") : 0;
}

static int create_python(struct shared_maps *s)
{
	/* The kernel takes 15 characters of a name. */
	int processes = bpf_map_create(BPF_MAP_TYPE_HASH, "python_procs", sizeof(uint32_t),
				       sizeof(struct python_process), PYTHON_PROCESSES, NULL);
	int codes = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, names[SHARED_PYTHON_CODES], sizeof(struct python_code_key),
				   sizeof(uint64_t), PYTHON_CODES, NULL);

	s->fd[SHARED_PYTHON_PROCESSES] = processes;
	s->fd[SHARED_PYTHON_CODES] = codes;
	return processes < 0 || codes < 0 ? fail(-errno, "create the BPF maps for Python") : 0;
}

int shared_maps_create(struct shared_maps *s, struct capture *c, uint32_t threads, uint32_t stack_bytes)
{
	int r;

	for (size_t i = 0; i < SHARED_COUNT; i++)
		s->fd[i] = -1;
	r = create_tables(s, c, threads);
	if (r >= 0)
		r = create_ring(s, c->cpu_count, stack_bytes);
	return r < 0 ? r : create_python(s);
}

void shared_maps_free(struct shared_maps *s, struct capture *c)
{
	if (c->task_slots)
		munmap(c->task_slots, s->task_bytes);
	if (c->cpu_slots)
		munmap(c->cpu_slots, s->cpu_bytes);
	c->task_slots = NULL;
	c->cpu_slots = NULL;
	for (size_t i = 0; i < SHARED_COUNT; i++)
		if (s->fd[i] >= 0)
			close(s->fd[i]);
}

int shared_maps_put(const struct shared_maps *s, struct bpf_object *object)
{
	for (size_t i = 0; i < SHARED_COUNT; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, names[i]);

		if (map && bpf_map__reuse_fd(map, s->fd[i]) < 0)
			return fail(-errno, "share the map '%s'", names[i]);
	}
	return 0;
}

static uint64_t map_bytes(int fd)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned long long bytes = 0;
	char path[64];
	const char *line;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (read_file(path, 4096, &b) == 0 && (line = strstr(b.data, "\nmemlock:")))
		sscanf(line, "\nmemlock: %llu", &bytes);
	return bytes;
}

uint64_t shared_maps_bytes(const struct shared_maps *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < SHARED_COUNT; i++)
		sum += map_bytes(s->fd[i]);
	return sum;
}

static bool is_shared(const char *name)
{
	for (size_t i = 0; i < SHARED_COUNT; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

uint64_t own_maps_bytes(const struct bpf_object *object)
{
	struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, object)
		sum += is_shared(bpf_map__name(map)) ? 0 : map_bytes(bpf_map__fd(map));
	return sum;
}
