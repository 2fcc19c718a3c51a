// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include "buf.h"
#include "clock.h"
#include "mem.h"
#include "store_write.h"
#include "wait_chain.h"

enum { LOCK = 1, DISK, POLL, WAKER, RAN, WAITED, QUEUED, CAUSE_LOCK, CAUSE_DISK, CAUSE_POLL };
enum { FIRST = 1, SECOND, THIRD, OTHER };

static struct store *begin(void)
{
	static const char *const names[] = {
		[LOCK] = "wait.lock", [DISK] = "wait.disk", [POLL] = "wait.poll", [WAKER] = "waker", [RAN] = "waker.run",
		[WAITED] = "waker.wait", [QUEUED] = "waker.queue", [CAUSE_LOCK] = "offcpu.lock", [CAUSE_DISK] = "offcpu.disk", [CAUSE_POLL] = "offcpu.poll"};
	struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	for (uint32_t i = 1; i < ARRAY_SIZE(names); i++)
		store_add_metric(s, i, names[i], "ns", "");
	store_add_slice(s, 1, 0, NS_PER_S);
	for (uint32_t i = FIRST; i <= OTHER; i++) {
		store_put_process(s, &(struct process_row){.id = i, .pid = 100 * i, .comm = "p"});
		store_put_task(s, &(struct task_row){.id = i, .process = i, .tid = 100 * i, .comm = "t"});
	}
	return s;
}

static void waits(struct store *s, uint32_t metric, uint32_t task, uint32_t stack, uint64_t ns)
{
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = metric, .task = task, .stack = stack, .count = 1, .value = ns});
}

static void link_to(struct store *s, uint32_t kind, uint32_t task, uint32_t stack, uint32_t other, uint32_t other_stack, uint64_t ns)
{
	store_add_edge(s, &(struct edge_row){.slice = 1, .kind = kind, .task = task, .stack = stack, .other_task = other,
					     .other_stack = other_stack, .count = 1, .ns = ns});
}

/* "1@10w 2@20w 3@30r 400" a chain: task, stack, how, ns. */
static void write_chain(void *arg, const struct chain_hop *hops, size_t count, double ns)
{
	struct buf *b = arg;

	for (size_t i = 0; i < count; i++)
		buf_addf(b, "%u@%u%c ", hops[i].task, hops[i].stack, "wriq"[hops[i].kind]);
	buf_addf(b, "%.0f\n", ns);
}

static void check_chains(struct store *s, bool idle, const char *wanted)
{
	_cleanup_(wait_chains_freep) struct wait_chains *c = NULL;
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	CHECK(store_commit(s) == 0 && wait_chains_new(s, &c) == 0);
	wait_chains_walk(c, idle, 0, write_chain, &b);
	CHECK_STR(b.data ? b.data : "", wanted);
	store_free(s);
}

/* First waits for second, which waits for third, which waits for the disk for 3/4 of the time and computes. */
static void test_hops(void)
{
	struct store *s = begin();

	waits(s, LOCK, FIRST, 10, 1000);
	link_to(s, WAKER, FIRST, 10, SECOND, 21, 1000);
	link_to(s, WAITED, FIRST, 10, SECOND, 20, 1000);
	waits(s, LOCK, SECOND, 20, 2000);
	link_to(s, WAKER, SECOND, 20, THIRD, 32, 2000);
	link_to(s, WAITED, SECOND, 20, THIRD, 30, 1500);
	link_to(s, RAN, SECOND, 20, THIRD, 31, 500);
	waits(s, DISK, THIRD, 30, 1600);
	link_to(s, WAKER, THIRD, 30, 0, 40, 1500); /* drawn by chance */
	check_chains(s, false,
		     "1@10w 2@20w 3@30w 0@40i 750\n1@10w 2@20w 3@31r 250\n"
		     "3@30w 0@40i 1600\n"
		     "2@20w 3@30w 0@40i 1500\n2@20w 3@31r 500\n");
}

/* Second holds a lock, and is kept from running for half of the time. */
static void test_queued(void)
{
	struct store *s = begin();

	waits(s, LOCK, FIRST, 10, 1000);
	link_to(s, WAKER, FIRST, 10, SECOND, 21, 1000);
	link_to(s, RAN, FIRST, 10, SECOND, 20, 500);
	link_to(s, QUEUED, FIRST, 10, SECOND, 0, 500);
	check_chains(s, false, "1@10w 2@20r 500\n1@10w 2@0q 500\n");
}

/* What is not known stays where it is: a wait that goes on, a waker of whom nothing else was seen. */
static void test_unknown(void)
{
	struct store *s = begin();

	waits(s, LOCK, FIRST, 10, 1000);
	link_to(s, WAKER, FIRST, 10, SECOND, 21, 400);
	link_to(s, WAITED, FIRST, 10, SECOND, 20, 100);
	check_chains(s, false, "1@10w 2@20w 100\n1@10w 2@21r 300\n1@10w 600\n");
}

/* Two threads that take turns end after one round. */
static void test_circle(void)
{
	struct store *s = begin();

	waits(s, LOCK, FIRST, 10, 1000);
	waits(s, LOCK, SECOND, 20, 1000);
	link_to(s, WAKER, FIRST, 10, SECOND, 21, 1000);
	link_to(s, WAITED, FIRST, 10, SECOND, 20, 1000);
	link_to(s, WAKER, SECOND, 20, FIRST, 11, 1000);
	link_to(s, WAITED, SECOND, 20, FIRST, 10, 1000);
	check_chains(s, false, "1@10w 2@20w 1@10w 1000\n2@20w 1@10w 2@20w 1000\n");
}

/* Nobody is held up who waits for work, but a chain may come to one who does. */
static void test_idle(void)
{
	struct store *s = begin();

	waits(s, LOCK, FIRST, 10, 1000);
	waits(s, POLL, SECOND, 20, 5000);
	link_to(s, WAKER, FIRST, 10, SECOND, 21, 1000);
	link_to(s, WAITED, FIRST, 10, SECOND, 20, 1000);
	check_chains(s, false, "1@10w 2@20w 1000\n");
	s = begin();
	waits(s, POLL, SECOND, 20, 5000);
	check_chains(s, true, "2@20w 5000\n");
}

int main(void)
{
	test_hops();
	test_queued();
	test_unknown();
	test_circle();
	test_idle();
	return check_done("wait_chain");
}
