// SPDX-License-Identifier: BSD-2-Clause
#include "sideband.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "fail.h"
#include "mem.h"

/* All rings together; one holds what a storm of short processes maps in a tenth of a second. */
#define ALL_RINGS_BYTES (8 << 20)
#define LEAST_RING_BYTES (64 << 10)
#define MOST_RING_BYTES (512 << 10)

struct ring {
	int cpu, fd;
	struct perf_event_mmap_page *page;
};

struct fetched {
	uint64_t time_ns;
	size_t at; /* in bytes */
};

struct sideband {
	int epoll_fd;
	size_t ring_bytes; /* of each, a power of two */
	struct ring *rings;
	size_t count, capacity;
	struct buf bytes;        /* copied records */
	struct fetched *fetched; /* sorted by time */
	size_t fetched_count, fetched_capacity, next;
	uint64_t lost;
};

/* PERF_RECORD_MMAP2 without build id, and PERF_RECORD_COMM, up to the name. */
struct mmap2 {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t addr, len, pgoff;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t protection, flags;
	char path[];
};

struct comm {
	struct perf_event_header header;
	uint32_t pid, tid;
};

struct lost {
	struct perf_event_header header;
	uint64_t id, lost;
};

int sideband_new(uint32_t cpus, struct sideband **ret_sideband)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return fail(-errno, "perf side band");
	*ret_sideband = xcalloc(1, sizeof(**ret_sideband));
	(*ret_sideband)->epoll_fd = fd;
	(*ret_sideband)->ring_bytes = MOST_RING_BYTES;
	while ((*ret_sideband)->ring_bytes > LEAST_RING_BYTES &&
	       (*ret_sideband)->ring_bytes * cpus > ALL_RINGS_BYTES)
		(*ret_sideband)->ring_bytes /= 2;
	(*ret_sideband)->bytes = (struct buf)BUF_INIT;
	return 0;
}

int sideband_fd(const struct sideband *sb)
{
	return sb->epoll_fd;
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void close_ring(const struct sideband *sb, struct ring *ring)
{
	munmap(ring->page, page_size() + sb->ring_bytes);
	close(ring->fd);
}

void sideband_free(struct sideband *sb)
{
	if (!sb)
		return;
	for (size_t i = 0; i < sb->count; i++)
		close_ring(sb, &sb->rings[i]);
	close(sb->epoll_fd);
	free(sb->rings);
	free(sb->fetched);
	buf_done(&sb->bytes);
	free(sb);
}

int sideband_add_cpu(struct sideband *sb, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME, .sample_id_all = 1, .mmap = 1, .mmap2 = 1, .comm = 1,
		.comm_exec = 1, .watermark = 1, .wakeup_watermark = sb->ring_bytes / 2, .use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	_cleanup_close_ int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	void *page;

	if (fd < 0)
		return fail(-errno, "perf side band on CPU %d", cpu);
	page = mmap(NULL, page_size() + sb->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return fail(-errno, "map the perf side band of CPU %d", cpu);
	if (epoll_ctl(sb->epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN | EPOLLET}) < 0) {
		int r = -errno;

		munmap(page, page_size() + sb->ring_bytes);
		return fail(r, "watch the perf side band of CPU %d", cpu);
	}
	GROW(sb->rings, sb->count, sb->capacity);
	sb->rings[sb->count++] = (struct ring){.cpu = cpu, .fd = fd, .page = page};
	fd = -1;
	return 0;
}

void sideband_remove_cpu(struct sideband *sb, int cpu)
{
	for (size_t i = 0; i < sb->count; i++) {
		if (sb->rings[i].cpu != cpu)
			continue;
		close_ring(sb, &sb->rings[i]);
		sb->rings[i] = sb->rings[--sb->count];
		return;
	}
}

/* Copies `len` bytes at ring position `at`, which may wrap. */
static void copy_out(const struct ring *ring, size_t ring_bytes, uint64_t at, size_t len, struct buf *to)
{
	const char *data = (const char *)ring->page + page_size();
	size_t start = at % ring_bytes, first = ring_bytes - start;

	if (first > len)
		first = len;
	buf_add(to, data + start, first);
	buf_add(to, data, len - first);
}

static void keep(struct sideband *sb, size_t at, size_t size)
{
	struct perf_event_header header;
	struct lost lost;
	uint64_t time;

	memcpy(&header, sb->bytes.data + at, sizeof(header));
	if (header.type == PERF_RECORD_LOST && size >= sizeof(lost)) {
		memcpy(&lost, sb->bytes.data + at, sizeof(lost));
		sb->lost += lost.lost;
	}
	bool wanted = header.type == PERF_RECORD_MMAP2 ||
		      (header.type == PERF_RECORD_COMM && header.misc & PERF_RECORD_MISC_COMM_EXEC);
	if (!wanted || size < sizeof(header) + sizeof(time)) {
		sb->bytes.len = at;
		return;
	}
	memcpy(&time, sb->bytes.data + at + size - sizeof(time), sizeof(time));
	GROW(sb->fetched, sb->fetched_count, sb->fetched_capacity);
	sb->fetched[sb->fetched_count++] = (struct fetched){.time_ns = time, .at = at};
	/* Records are multiples of 8 bytes, so each copy stays aligned. */
}

static void fetch_ring(struct sideband *sb, struct ring *ring)
{
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->page->data_tail;

	while (tail < head) {
		struct perf_event_header header;
		size_t at = sb->bytes.len;

		copy_out(ring, sb->ring_bytes, tail, sizeof(header), &sb->bytes);
		memcpy(&header, sb->bytes.data + at, sizeof(header));
		if (header.size < sizeof(header) || header.size > head - tail)
			break;
		copy_out(ring, sb->ring_bytes, tail + sizeof(header), header.size - sizeof(header), &sb->bytes);
		keep(sb, at, header.size);
		tail += header.size;
	}
	__atomic_store_n(&ring->page->data_tail, head, __ATOMIC_RELEASE);
}

static int by_time(const void *a, const void *b)
{
	const struct fetched *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

void sideband_fetch(struct sideband *sb)
{
	size_t kept = sb->fetched_count - sb->next;

	/* What was not taken stays: events newer than the last record of the BPF ring. */
	if (!kept)
		buf_reset(&sb->bytes);
	else
		memmove(sb->fetched, sb->fetched + sb->next, kept * sizeof(*sb->fetched));
	sb->fetched_count = kept;
	sb->next = 0;
	for (size_t i = 0; i < sb->count; i++)
		fetch_ring(sb, &sb->rings[i]);
	if (sb->fetched_count)
		qsort(sb->fetched, sb->fetched_count, sizeof(*sb->fetched), by_time);
}

bool sideband_next(struct sideband *sb, uint64_t until_ns, struct sideband_event *ret_event)
{
	if (sb->next == sb->fetched_count || sb->fetched[sb->next].time_ns > until_ns)
		return false;
	const struct fetched *f = &sb->fetched[sb->next++];
	const char *at = sb->bytes.data + f->at;
	const struct mmap2 *m = (const void *)at;
	const struct comm *c = (const void *)at;

	if (m->header.type == PERF_RECORD_COMM) {
		*ret_event = (struct sideband_event){
			.kind = SIDEBAND_EXEC, .time_ns = f->time_ns, .pid = c->pid, .tid = c->tid};
		return true;
	}
	*ret_event = (struct sideband_event){
		.kind = SIDEBAND_MMAP, .time_ns = f->time_ns, .pid = m->pid, .tid = m->tid,
		.start = m->addr, .end = m->addr + m->len, .offset = m->pgoff, .inode = m->inode,
		.major = m->major, .minor = m->minor, .path = m->path};
	return true;
}

uint64_t sideband_lost(const struct sideband *sb)
{
	return sb->lost;
}
