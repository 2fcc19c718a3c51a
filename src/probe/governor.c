// SPDX-License-Identifier: BSD-2-Clause
#include "governor.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "capture.h"
#include "clock.h"
#include "cost.h"
#include "host.h"
#include "log.h"
#include "loop.h"
#include "mem.h"

#define TICK_NS NS_PER_S

enum {
	TICKS = 4,       /* that the cost is the mean of: names and tables of code are read in bursts, */
	FIRST = 4, FEWEST = 2, /* at the least: in the beginning, and after a change; the tick in which that falls is left out */
	PATIENCE = 5,    /* seconds that there must have been room before something is taken back */
	HALF_LIFE = 30,  /* seconds, after which a probe that is off is thought to cost half of what it did */
	WORTH = 8,       /* a step must save this part of what is too much, */
	LEAST = 20,      /* and this part of the bound: else it is not worth its loss, nor what it takes to load a probe again */
	STACK_NS = 60000, /* of our CPU time, to unwind a stack, find its place in the tree, and write it */
	MOST_STEPS = 12, /* at once */
	TIGHT = 80, ROOM = 85, /* percent of the bound: where a step leads to, and what is enough to go back */
};

enum rank { RATE, PROBE, ACCOUNTS }; /* what goes first */

/* Something that can be made to cost less. */
struct dial {
	const char *name;
	enum rank rank;
	unsigned costs;   /* of BPF programs: bits of enum cost_of */
	double stacks;    /* part of all stacks that it causes */
	unsigned rarest;  /* a rate may be one in 1 << this; 0: it is on or off */
	void (*turn)(struct governor *g, const struct dial *d, unsigned shift);
	const char *probe;
};

struct dial_state {
	unsigned shift;  /* a rate is one in 1 << this; of others 1: off */
	double ns;       /* what it costs in a second; when it is off, what it is thought to */
	uint64_t before; /* cost_bpf_ns() at the last tick */
};

struct governor {
	struct capture *capture;
	struct host *host;
	struct loop *loop;
	struct loop_source *tick, *window;
	double most;               /* share of all CPUs */
	double most_ns;            /* of the present ones in a second */
	double cost_ns[TICKS];     /* of the last ticks since a change */
	unsigned ticks, needed;    /* of them; before anything is done */
	bool settling;             /* what comes next has the work of the change in it */
	unsigned calm;             /* ticks with room */
	uint64_t own_before, bpf_before, stacks_before, time_before;
	uint64_t frequency;        /* that was asked for */
	uint64_t random;
	struct dial_state *states; /* by dial */
};

static void turn_waits(struct governor *g, const struct dial *d, unsigned shift)
{
	host_set_wait_gap(g->host, shift);
}

static void turn_samples(struct governor *g, const struct dial *d, unsigned shift)
{
	g->capture->frequency = g->frequency >> shift ? g->frequency >> shift : 1;
	host_retune(g->host);
}

static void turn_probe(struct governor *g, const struct dial *d, unsigned off)
{
	host_set_probe(g->host, d->probe, !off);
}

static void turn_accounts(struct governor *g, const struct dial *d, unsigned shift)
{
	if (!shift)
		host_watch(g->host, true);
}

static const struct dial dials[] = {
	{"stacks of waits", RATE, 0, 0.5, 3, turn_waits, NULL},
	{"CPU samples", RATE, 1 << COST_SAMPLE, 0.5, 3, turn_samples, NULL},
	{"page faults", PROBE, 1 << COST_FAULT, 0, 0, turn_probe, "fault"},
	{"services", PROBE, 1 << COST_SERVICE, 0, 0, turn_probe, "service"},
	{"connections", PROBE, 1 << COST_TCP, 0, 0, turn_probe, "tcp"},
	{"interrupts", PROBE, 1 << COST_IRQ, 0, 0, turn_probe, "irq"},
	{"disk requests", PROBE, 1 << COST_BLOCK, 0, 0, turn_probe, "blkio"},
	{"file systems without room", PROBE, 1 << COST_SPACE, 0, 0, turn_probe, "space"},
	{"times by state", ACCOUNTS, 1 << COST_SWITCH | 1 << COST_WAKING, 0, 5, turn_accounts, NULL},
};

enum { DIALS = ARRAY_SIZE(dials), TIMES = DIALS - 1 };

static bool is_off(const struct governor *g, size_t i)
{
	return !dials[i].rarest && g->states[i].shift;
}

/* What another step would save, ns in a second. */
static double worth(const struct governor *g, size_t i)
{
	const struct dial_state *s = &g->states[i];

	if (s->shift >= (dials[i].rarest ? dials[i].rarest : 1))
		return 0;
	return dials[i].rarest ? s->ns / 2 : s->ns;
}

/* By rank, and the dearest of a rank, but nothing that saves next to nothing; when there is nothing else, rates: they are soon
 * back. -1: what costs is not what could be left out. */
static int next_step(const struct governor *g, double excess)
{
	double least = fmax(excess / WORTH, g->most_ns / LEAST);
	int best[ACCOUNTS + 1] = {-1, -1, -1};

	for (int i = 0; i < (int)DIALS; i++) {
		int *of_rank = &best[dials[i].rank];

		if (worth(g, (size_t)i) <= 0)
			continue;
		if (*of_rank < 0 || worth(g, (size_t)i) > worth(g, (size_t)*of_rank))
			*of_rank = i;
	}
	for (int rank = RATE; rank <= ACCOUNTS; rank++)
		if (best[rank] >= 0 && worth(g, (size_t)best[rank]) >= least)
			return best[rank];
	return best[RATE];
}

static void turn(struct governor *g, size_t i, unsigned shift)
{
	struct dial_state *s = &g->states[i];

	if (dials[i].rarest)
		s->ns = ldexp(s->ns, (int)s->shift - (int)shift); /* until it is measured */
	s->shift = shift;
	dials[i].turn(g, &dials[i], shift);
	if (dials[i].rarest)
		log_debug("governor: %s: 1 in %u", dials[i].name, 1u << shift);
	else
		log_debug("governor: %s: %s", dials[i].name, shift ? "off" : "on");
}

static void changed(struct governor *g)
{
	g->ticks = g->calm = 0;
	g->settling = true;
	g->needed = FEWEST;
}

static void save(struct governor *g, double cost_ns)
{
	for (int n = 0; n < MOST_STEPS && cost_ns > g->most_ns * TIGHT / 100; n++) {
		int i = next_step(g, cost_ns - g->most_ns);

		if (i < 0)
			break;
		cost_ns -= worth(g, (size_t)i);
		turn(g, (size_t)i, g->states[i].shift + 1);
	}
	changed(g);
}

/* The last to go is the first to come back. -1: all is there. */
static int last_step(const struct governor *g)
{
	int found = -1;

	for (int rank = ACCOUNTS; rank >= RATE && found < 0; rank--)
		for (int i = 0; i < (int)DIALS; i++) {
			const struct dial_state *s = &g->states[i];

			if (dials[i].rank == (enum rank)rank && s->shift && (found < 0 || s->ns < g->states[found].ns))
				found = i;
		}
	return found;
}

/* What halving has saved is what is left. */
static bool has_room(const struct governor *g, int step, double cost_ns)
{
	return step >= 0 && cost_ns + g->states[step].ns <= g->most_ns * ROOM / 100;
}

static void restore(struct governor *g, double cost_ns)
{
	int step = last_step(g);

	g->calm = has_room(g, step, cost_ns) ? g->calm + 1 : 0;
	if (g->calm < PATIENCE)
		return;
	for (; has_room(g, step, cost_ns); step = last_step(g)) {
		cost_ns += g->states[step].ns;
		turn(g, (size_t)step, g->states[step].shift - 1);
	}
	changed(g);
}

/* Stacks that were unwound so far. */
static uint64_t count_stacks(const struct capture *c)
{
	struct stacks_truth t = stacks_truth(c->stacks);

	return t.complete + t.truncated + t.unreadable;
}

static double measure(struct governor *g)
{
	struct capture *c = g->capture;
	uint64_t stacks = count_stacks(c);
	uint64_t now = clock_mono_ns(), own = cost_own_ns(c), bpf = cost_bpf_ns(c, ALL_COSTS & ~ASKED_COSTS);
	double seconds = (double)(now - g->time_before) / (double)NS_PER_S;
	double own_ns = own > g->own_before ? (double)(own - g->own_before) / seconds : 0;
	double stacks_ns = (double)(stacks - g->stacks_before) / seconds * STACK_NS;
	double bpf_ns = bpf > g->bpf_before ? (double)(bpf - g->bpf_before) / seconds : 0;

	for (size_t i = 0; i < DIALS; i++) {
		struct dial_state *s = &g->states[i];
		uint64_t cost = cost_bpf_ns(c, dials[i].costs);

		if (is_off(g, i))
			s->ns *= exp2(-seconds / HALF_LIFE);
		else
			s->ns = (cost > s->before ? (double)(cost - s->before) / seconds : 0) + dials[i].stacks * stacks_ns;
		s->before = cost;
	}
	g->most_ns = g->most * (double)c->online * (double)NS_PER_S;
	g->time_before = now;
	g->own_before = own;
	g->stacks_before = stacks;
	g->bpf_before = bpf;
	return own_ns + bpf_ns;
}

static int end_window(void *arg, uint32_t events)
{
	struct governor *g = arg;

	loop_remove(g->loop, g->window);
	g->window = NULL;
	if (g->states[TIMES].shift)
		host_watch(g->host, false);
	return 0;
}

static uint64_t watched_part(const struct governor *g)
{
	return TICK_NS >> g->states[TIMES].shift;
}

static int begin_window(void *arg, uint32_t events)
{
	struct governor *g = arg;

	loop_remove(g->loop, g->window);
	g->window = NULL;
	host_watch(g->host, true);
	return loop_add_timer(g->loop, watched_part(g), 0, end_window, g, &g->window);
}

/* Switches are watched once in each second, at a random moment of it: what is in step with the second is not favoured. */
static int plan_window(struct governor *g)
{
	uint64_t spare = TICK_NS - watched_part(g);

	if (!g->states[TIMES].shift || g->window)
		return 0;
	host_watch(g->host, false);
	g->random = g->random * 6364136223846793005ull + 1442695040888963407ull;
	return loop_add_timer(g->loop, 1 + (g->random >> 33) % spare, 0, begin_window, g, &g->window);
}

/* The mean of the last ticks. */
static double add_cost(struct governor *g, double cost_ns)
{
	double sum = 0;

	for (unsigned i = TICKS - 1; i; i--)
		g->cost_ns[i] = g->cost_ns[i - 1];
	g->cost_ns[0] = cost_ns;
	if (g->ticks < TICKS)
		g->ticks++;
	for (unsigned i = 0; i < g->ticks; i++)
		sum += g->cost_ns[i];
	return sum / g->ticks;
}

static int tick(void *arg, uint32_t events)
{
	struct governor *g = arg;
	double now_ns = measure(g), mean_ns = g->settling ? 0 : add_cost(g, now_ns);

	log_debug("governor: %.2f %% of the bound", 100 * now_ns / g->most_ns);
	if (g->ticks >= g->needed) {
		if (mean_ns > g->most_ns)
			save(g, mean_ns);
		else
			restore(g, mean_ns);
	} else {
		g->settling = false;
	}
	return plan_window(g);
}

int governor_new(struct capture *c, struct host *h, struct loop *l, double most, struct governor **ret_governor)
{
	struct governor *g = xcalloc(1, sizeof(*g));

	*g = (struct governor){.capture = c, .host = h, .loop = l, .most = most, .needed = FIRST, .settling = true,
			       .frequency = c->frequency, .random = clock_mono_ns()};
	g->states = xcalloc(DIALS, sizeof(*g->states));
	measure(g);
	*ret_governor = g;
	return loop_add_timer(l, TICK_NS, TICK_NS, tick, g, &g->tick);
}

void governor_free(struct governor *g)
{
	if (!g)
		return;
	loop_remove(g->loop, g->tick);
	loop_remove(g->loop, g->window);
	free(g->states);
	free(g);
}

const char *governor_dial(const struct governor *g, unsigned i, double *ret_share)
{
	if (i >= DIALS)
		return NULL;
	*ret_share = is_off(g, i) ? 0 : ldexp(1, -(int)g->states[i].shift);
	return dials[i].name;
}
