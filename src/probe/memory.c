// SPDX-License-Identifier: BSD-2-Clause
/* The machine's memory: what it is used for, swapping, reclaim. */
#include <unistd.h>

#include "gauges.h"
#include "mem.h"
#include "probe.h"

enum {
	TOTAL, AVAILABLE, CACHED, ANONYMOUS, SHARED, SLAB, DIRTY, DIRTY_LIMIT, WRITEBACK, COMMITTED, COMMIT_LIMIT, SWAP_TOTAL, SWAP_FREE,
	SWAP_IN, SWAP_OUT, MAJOR_FAULTS, MINOR_FAULTS, RECLAIMS, RECLAIMED_DIRECT, RECLAIMED_KSWAPD, REFAULTS, COMPACTIONS,
	OOM_KILLS,
};

#define KIB 1024.0

static const struct gauge_key meminfo[] = {
	{"MemTotal", TOTAL, true, KIB}, {"MemAvailable", AVAILABLE, true, KIB}, {"Cached", CACHED, true, KIB},
	{"Buffers", CACHED, true, KIB}, {"AnonPages", ANONYMOUS, true, KIB}, {"Shmem", SHARED, true, KIB},
	{"Slab", SLAB, true, KIB}, {"Dirty", DIRTY, true, KIB}, {"Writeback", WRITEBACK, true, KIB},
	{"Committed_AS", COMMITTED, true, KIB}, {"CommitLimit", COMMIT_LIMIT, true, KIB},
	{"SwapTotal", SWAP_TOTAL, true, KIB}, {"SwapFree", SWAP_FREE, true, KIB}, {0}};

static const struct gauge_key vmstat[] = {
	{"nr_dirty_threshold", DIRTY_LIMIT, true},
	{"pswpin", SWAP_IN}, {"pswpout", SWAP_OUT}, {"pgmajfault", MAJOR_FAULTS},
	{"pgfault", MINOR_FAULTS}, {"allocstall_dma", RECLAIMS}, {"allocstall_dma32", RECLAIMS},
	{"allocstall_normal", RECLAIMS}, {"allocstall_movable", RECLAIMS}, {"allocstall_device", RECLAIMS},
	{"pgsteal_direct", RECLAIMED_DIRECT}, {"pgsteal_kswapd", RECLAIMED_KSWAPD},
	{"workingset_refault_anon", REFAULTS}, {"workingset_refault_file", REFAULTS},
	{"workingset_refault", REFAULTS}, /* until 5.8 */
	{"compact_stall", COMPACTIONS}, {"oom_kill", OOM_KILLS}, {0}};

/* Those that /proc/vmstat counts in pages. */
static const uint8_t in_pages[] = {DIRTY_LIMIT, SWAP_IN, SWAP_OUT, RECLAIMED_DIRECT, RECLAIMED_KSWAPD, REFAULTS};

struct memory_state {
	struct probe_state probe;
	struct gauge_set set;
};

static void read_all(const struct capture *c, struct gauge_values *v)
{
	gauge_read_lines(c, "/proc/meminfo", meminfo, v);
	gauge_read_lines(c, "/proc/vmstat", vmstat, v);
	for (size_t i = 0; i < ARRAY_SIZE(in_pages); i++)
		v->sum[in_pages[i]] *= (double)sysconf(_SC_PAGESIZE);
	if (v->present >> MINOR_FAULTS & 1)
		v->sum[MINOR_FAULTS] -= v->sum[MAJOR_FAULTS];
}

static void start(struct capture *c, void *arg)
{
	struct memory_state *s = arg;
	struct gauge_values v = {0};

	read_all(c, &v);
	gauge_remember(&s->set, &v);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	struct memory_state *s = arg;
	struct gauge_values v = {0};

	read_all(c, &v);
	gauge_write(c, &s->set, s->probe.first_metric, &v);
}

const struct probe probe_memory = {
	.name = "memory",
	.help = "what memory is used for, swapping, reclaim and OOM kills, from /proc",
	.metrics = (const struct probe_metric[]){
		[TOTAL] = {"memory.total", "bytes", "memory of the machine"},
		[AVAILABLE] = {"memory.available", "bytes", "memory that new work can have without swapping"},
		[CACHED] = {"memory.cached", "bytes", "page cache"},
		[ANONYMOUS] = {"memory.anonymous", "bytes", "memory of processes that no file holds"},
		[SHARED] = {"memory.shared", "bytes", "shared memory and tmpfs"},
		[SLAB] = {"memory.slab", "bytes", "the kernel's own objects"},
		[DIRTY] = {"memory.dirty", "bytes", "page cache that waits to be written"},
		[DIRTY_LIMIT] = {"memory.dirty_limit", "bytes", "dirty page cache at which writers are held back"},
		[WRITEBACK] = {"memory.writeback", "bytes", "page cache that is being written"},
		[COMMITTED] = {"memory.committed", "bytes", "memory promised to processes"},
		[COMMIT_LIMIT] = {"memory.commit_limit", "bytes", "what may be promised under strict accounting"},
		[SWAP_TOTAL] = {"swap.total", "bytes", "swap space"},
		[SWAP_FREE] = {"swap.free", "bytes", "swap space that is free"},
		[SWAP_IN] = {"swap.in", "bytes", "read back from swap in the slice"},
		[SWAP_OUT] = {"swap.out", "bytes", "written to swap in the slice"},
		[MAJOR_FAULTS] = {"memory.faults_major", "count", "page faults that waited for a disk"},
		[MINOR_FAULTS] = {"memory.faults_minor", "count", "page faults that memory alone could serve"},
		[RECLAIMS] = {"memory.reclaims_direct", "count", "allocations that had to free memory first"},
		[RECLAIMED_DIRECT] = {"memory.reclaimed_direct", "bytes", "freed by tasks that wanted memory"},
		[RECLAIMED_KSWAPD] = {"memory.reclaimed_background", "bytes", "freed by kswapd"},
		[REFAULTS] = {"memory.refaults", "bytes", "read again shortly after it had been reclaimed"},
		[COMPACTIONS] = {"memory.compactions_direct", "count", "allocations that had to move memory first"},
		[OOM_KILLS] = {"memory.oom_kills", "count", "processes killed for want of memory"},
		{0}},
	.state_size = sizeof(struct memory_state),
	.start = start,
	.slice = slice,
};
