// SPDX-License-Identifier: BSD-2-Clause
#include "grown.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "fail.h"
#include "mem.h"
#include "wire.h"

enum {
	MOST_YOUNG = 4096,   /* pages that have to stay yet */
	MOST_OLD = 1 << 16,  /* pages that have stayed; the oldest are forgotten, as if they stayed for ever */
	MOST_MAPS = 16,
	MOST_LOOKS = 1000,   /* at old pages, in a second; at none of them twice */
	FLAG_SWAPPABLE = 1 << 14, /* of /proc/kpageflags: no file keeps its content */
	FLAG_HUGE = 1 << 22,
};

#define STAYED_NS (500 * NS_PER_MS) /* what is given back sooner is no growth */
#define PRESENT (1ull << 63)
#define OF_FILE (1ull << 61)   /* or of shared memory */
#define EXCLUSIVE (1ull << 56) /* mapped once */
#define FRAME ((1ull << 55) - 1)
#define HUGE_BYTES (2l << 20)

struct page {
	struct grown_page page;
	int64_t bytes;
};

struct grown {
	struct page *young, *old;
	size_t young_count, old_count, old_capacity, old_at;
	uint64_t *tokens; /* the kernel side's */
	struct page_map {
		uint32_t pid;
		int fd; /* -1: it has none to read */
	} maps[MOST_MAPS]; /* open while pages are looked at, those of a few processes in any order */
	size_t map_count, map_next;
	int flags;        /* -1: none */
	size_t page_size;
	uint64_t looked_ns; /* the old ones */
};

#define TOKEN_BYTES (sizeof(uint64_t) << FAULT_PAGE_BITS)

int grown_new(int tokens, struct grown **ret_grown)
{
	void *mapped = mmap(NULL, TOKEN_BYTES, PROT_READ, MAP_SHARED, tokens, 0);

	if (mapped == MAP_FAILED)
		return fail(-errno, "map the table of drawn pages into memory");
	struct grown *g = *ret_grown = xcalloc(1, sizeof(*g));
	*g = (struct grown){.tokens = mapped, .young = xcalloc(MOST_YOUNG, sizeof(*g->young)),
			    .page_size = (size_t)sysconf(_SC_PAGESIZE)};
	g->flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	return 0;
}

static void close_maps(struct grown *g)
{
	for (size_t i = 0; i < g->map_count; i++)
		if (g->maps[i].fd >= 0)
			close(g->maps[i].fd);
	g->map_count = 0;
}

static int map_of(struct grown *g, uint32_t pid)
{
	char path[32];

	for (size_t i = 0; i < g->map_count; i++)
		if (g->maps[i].pid == pid)
			return g->maps[i].fd;
	struct page_map *m = &g->maps[g->map_next++ % MOST_MAPS];
	if (g->map_count == MOST_MAPS && m->fd >= 0)
		close(m->fd);
	if (g->map_count < MOST_MAPS)
		m = &g->maps[g->map_count++];
	snprintf(path, sizeof(path), "/proc/%u/pagemap", pid);
	*m = (struct page_map){pid, open(path, O_RDONLY | O_CLOEXEC)};
	return m->fd;
}

void grown_free(struct grown *g)
{
	if (!g)
		return;
	close_maps(g);
	if (g->flags >= 0)
		close(g->flags);
	munmap(g->tokens, TOKEN_BYTES);
	free(g->young);
	free(g->old);
	free(g);
}

void grown_add(struct grown *g, const struct grown_page *p)
{
	if (g->young_count < MOST_YOUNG)
		g->young[g->young_count++] = (struct page){.page = *p};
}

/* Frames of memory are shown to those alone who may see them; without, each page is a small one, and none
 * is of shared memory. */
static uint64_t flags_of(const struct grown *g, uint64_t entry)
{
	uint64_t frame = entry & FRAME, flags = 0;

	return g->flags >= 0 && frame && pread(g->flags, &flags, sizeof(flags), (off_t)(frame * sizeof(flags))) == sizeof(flags) ? flags : 0;
}

/* Its own, or shared memory that no other has mapped. */
static bool is_its_own(const struct grown *g, uint64_t entry)
{
	return !(entry & OF_FILE) || (entry & EXCLUSIVE && flags_of(g, entry) & FLAG_SWAPPABLE);
}

/* What the page map says of it; 0 when it is not there any more, or is a file's. */
static uint64_t entry_of(struct grown *g, const struct grown_page *p)
{
	uint64_t entry = 0;
	int map;

	if (__atomic_load_n(&g->tokens[fault_page_index(p->pid, p->address)], __ATOMIC_RELAXED) != p->token)
		return 0;
	map = map_of(g, p->pid);
	if (map < 0 || pread(map, &entry, sizeof(entry), (off_t)(p->address / g->page_size * sizeof(entry))) != sizeof(entry))
		return 0;
	return entry & PRESENT && is_its_own(g, entry) ? entry : 0;
}

static int64_t bytes_of(const struct grown *g, uint64_t entry)
{
	return flags_of(g, entry) & FLAG_HUGE ? HUGE_BYTES : (int64_t)g->page_size;
}

static void keep(struct grown *g, const struct page *p)
{
	if (g->old_count < MOST_OLD) {
		GROW(g->old, g->old_count, g->old_capacity);
		g->old[g->old_count++] = *p;
	} else {
		g->old[g->old_at++ % MOST_OLD] = *p;
	}
}

/* Whether the page stays among the young ones. */
static bool look_at_young(struct grown *g, struct page *p, uint64_t now_ns, grown_change *each, void *arg)
{
	if (now_ns < p->page.time_ns + STAYED_NS)
		return true;
	uint64_t entry = entry_of(g, &p->page);
	if (!entry)
		return false;
	p->bytes = bytes_of(g, entry) * p->page.weight;
	each(arg, &p->page, p->bytes);
	keep(g, p);
	return false;
}

/* Each once a second, as slices want it, as long as they are few enough. */
static void look_at_old(struct grown *g, uint64_t now_ns, grown_change *each, void *arg)
{
	uint64_t passed = g->looked_ns ? now_ns - g->looked_ns : 0, all = g->old_count < MOST_LOOKS ? g->old_count : MOST_LOOKS;
	size_t looks = all * (passed < NS_PER_S ? passed : NS_PER_S) / NS_PER_S;

	if (!looks && g->looked_ns && all)
		return; /* until one is due */
	g->looked_ns = now_ns;
	for (size_t i = 0; i < looks && g->old_count; i++) {
		struct page *p = &g->old[g->old_at++ % g->old_count];

		if (entry_of(g, &p->page))
			continue;
		each(arg, &p->page, -p->bytes);
		*p = g->old[--g->old_count];
	}
}

void grown_look(struct grown *g, uint64_t now_ns, grown_change *each, void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->young_count; i++)
		if (look_at_young(g, &g->young[i], now_ns, each, arg))
			g->young[kept++] = g->young[i];
	g->young_count = kept;
	look_at_old(g, now_ns, each, arg);
	close_maps(g); /* its number may be another process's next time */
}
