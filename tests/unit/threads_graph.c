// SPDX-License-Identifier: BSD-2-Clause
/* The pure parts of `threads`: what a futex is, who waits for whom, cycles, groups, both outputs.
 */
#include <jansson.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "check.h"
#include "lock.h"
#include "mem.h"
#include "threads.h"

enum { FIRST_TID = 100, PID = 100 };

static struct threads *sample(size_t count)
{
	struct threads *t = xcalloc(1, sizeof(*t));

	t->notes = (struct buf)BUF_INIT;
	t->memory = arena_new();
	t->pid = PID;
	t->source = "bpf";
	t->what = "thread";
	strcpy(t->comm, "sample");
	t->items = xcalloc(count, sizeof(*t->items));
	t->count = count;
	for (size_t i = 0; i < count; i++) {
		t->items[i] = (struct thread){.tid = FIRST_TID + (uint32_t)i,
					      .pid = PID,
					      .since_ns = UINT64_MAX,
					      .state = THREAD_SLEEPING,
					      .waits_for = 7,
					      .cycle = 7};
		snprintf(t->items[i].comm, sizeof(t->items[i].comm), "t%zu", i);
	}
	return t;
}

static void waits(struct threads *t, size_t who, size_t whom)
{
	t->items[who].wait = (struct thread_wait){.kind = WAIT_MUTEX,
						  .address = 0x1000 + 64 * whom,
						  .pid = PID,
						  .tid = FIRST_TID + (uint32_t)whom,
						  .bound = true};
}

static void frames(struct threads *t, size_t who, size_t user, size_t count,
		   const char *const *names)
{
	t->items[who].frames = xcalloc(count, sizeof(char *));
	memcpy(t->items[who].frames, names, count * sizeof(char *));
	t->items[who].user_count = user;
	t->items[who].frame_count = count;
}

static void test_two_of_six(void)
{
	_cleanup_(threads_freep) struct threads *t = sample(6);

	waits(t, 1, 3);
	waits(t, 3, 1);
	waits(t, 4, 1);
	waits(t, 5, 4);
	waits(t, 2, 0);
	threads_find_cycles(t);
	CHECK(t->cycle_count == 1 && t->cycles[0].count == 2);
	CHECK(t->cycles[0].members[0] == 1 && t->cycles[0].members[1] == 3);
	CHECK(t->items[1].in_cycle && t->items[3].in_cycle && !t->items[4].in_cycle);
	CHECK(t->items[4].cycle == 0 && t->items[5].cycle == 0); /* they wait for ever, too */
	CHECK(t->items[0].cycle == -1 && t->items[2].cycle == -1);
	CHECK(t->items[2].waits_for == 0 && t->items[0].waits_for == -1 &&
	      t->items[5].waits_for == 4);
}

static void test_several_cycles(void)
{
	_cleanup_(threads_freep) struct threads *t = sample(8);

	waits(t, 7, 7);
	waits(t, 0, 1);
	waits(t, 1, 2);
	waits(t, 2, 0);
	waits(t, 3, 2);
	threads_find_cycles(t);
	CHECK(t->cycle_count == 2);
	CHECK(t->cycles[0].count == 3 && t->cycles[1].count == 1 && t->cycles[1].members[0] == 7);
	CHECK(t->items[3].cycle == 0 && !t->items[3].in_cycle);
}

/* No deadlock where something moves, ends by itself, or can be ended by others. */
static void test_no_cycle(void)
{
	for (int variant = 0; variant < 4; variant++) {
		_cleanup_(threads_freep) struct threads *t = sample(2);

		waits(t, 0, 1);
		waits(t, 1, 0);
		if (variant == 0)
			t->items[1].moved = true;
		if (variant == 1)
			t->items[0].wait.bound = false;
		if (variant == 2)
			t->items[1].wait = (struct thread_wait){0};
		if (variant == 3)
			t->items[1].wait.tid = 4000000;
		threads_find_cycles(t);
		CHECK(t->cycle_count == 0 && t->items[0].cycle == -1 && t->items[1].cycle == -1);
	}
}

/* A parent waits for its only child, which waits for a lock that the parent holds. */
static void test_processes(void)
{
	_cleanup_(threads_freep) struct threads *t = sample(3);

	t->items[2].pid = 102;
	waits(t, 2, 0);
	t->items[0].wait = (struct thread_wait){.kind = WAIT_CHILD, .pid = 102, .bound = true};
	t->items[1].wait = (struct thread_wait){.kind = WAIT_SOCKET, .pid = 555};
	threads_find_cycles(t);
	CHECK(t->cycle_count == 1 && t->cycles[0].count == 2 && t->items[0].waits_for == 2);
	CHECK(t->items[1].waits_for == -1);
}

static void test_large(void)
{
	enum { COUNT = 5000 };
	_cleanup_(threads_freep) struct threads *t = sample(COUNT);

	for (size_t i = 0; i < COUNT; i++)
		waits(t, i, (i + 1) % COUNT);
	threads_find_cycles(t);
	CHECK(t->cycle_count == 1 && t->cycles[0].count == COUNT);
}

static void test_groups(void)
{
	static const char *const pool[] = {"start_thread", "worker", "take_job",
					   "pthread_cond_wait", "futex_wait"};
	static const char *const other[] = {"start_thread", "worker", "run_job"};
	_cleanup_(threads_freep) struct threads *t = sample(6);

	for (size_t i = 0; i < 6; i++) {
		frames(t, i, i == 2 ? 3 : 4, i == 2 ? 3 : 5, i == 2 ? other : pool);
		t->items[i].cycle = -1;
		t->items[i].wait.kind = i == 2 ? WAIT_NONE : WAIT_CONDITION;
	}
	t->items[5].user_count = 5; /* the same names, but one of them another side's */
	threads_find_groups(t);
	CHECK(t->group_count == 3);
	CHECK(t->groups[0].count == 4 && t->groups[0].members[0] == 0 &&
	      t->groups[0].members[3] == 4);
	CHECK(t->groups[1].count == 1 && t->groups[1].members[0] == 2);
	CHECK(t->groups[2].count == 1 && t->groups[2].members[0] == 5);
}

static void put(struct lock_look *look, int offset, uint32_t value)
{
	memcpy(look->memory + LOCK_BEFORE + offset, &value, sizeof(value));
}

/* Threads 100 to 109 live here, 200 in another process. */
static bool is_thread(void *arg, uint32_t tid, bool shared)
{
	return (tid >= 100 && tid < 110) || (shared && tid == 200);
}

static enum wait_kind decide(const struct lock_look *look, const char *function,
			     struct lock_guess *guess, const char **ret_unsure)
{
	lock_guess(look, is_thread, NULL, guess);
	return lock_decide(guess, function, ret_unsure);
}

static struct lock_look look_at(int operation, uint32_t value)
{
	return (struct lock_look){.address = 0x5000,
				  .operation = (uint32_t)operation,
				  .value = value,
				  .readable = true};
}

static struct lock_look mutex(uint32_t owner, uint32_t kind)
{
	struct lock_look look = look_at(FUTEX_WAIT_PRIVATE, 2);

	put(&look, 0, 2);
	put(&look, 8, owner);
	put(&look, 12, 1);
	put(&look, 16, kind);
	return look;
}

static void test_mutex(void)
{
	struct lock_guess guess;
	struct lock_look look = mutex(105, 0);
	const char *unsure;

	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_MUTEX &&
	      guess.owner[WAIT_MUTEX] == 105 && !unsure);
	look = mutex(4000, 0); /* claims an owner that does not live */
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_LOCK && !guess.owner[WAIT_MUTEX]);
	CHECK(decide(&look, "pthread_mutex_lock", &guess, &unsure) == WAIT_MUTEX &&
	      !guess.owner[WAIT_MUTEX]);
	look = mutex(200, 0); /* lives, but in another process */
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_LOCK);
	look = mutex(200, 0x80); /* which a process-shared one may name */
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_MUTEX && guess.owner[WAIT_MUTEX] == 200);
	look = mutex(105, 0x40000); /* no such kind */
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_LOCK);
	look = mutex(105, 1);
	put(&look, 4, 3);
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_MUTEX &&
	      !strcmp(guess.flavour, "recursive"));
	look.readable = false;
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_FUTEX);
	/* pthread_cond_wait() takes its mutex again. */
	look = mutex(105, 0);
	CHECK(decide(&look, "pthread_cond_wait", &guess, &unsure) == WAIT_MUTEX);
}

static void test_owner_words(void)
{
	struct lock_guess guess;
	const char *unsure;
	struct lock_look look = look_at(FUTEX_LOCK_PI_PRIVATE, 0);

	put(&look, 0, FUTEX_WAITERS | 104);
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_MUTEX && guess.owner[WAIT_MUTEX] == 104);
	look = look_at(FUTEX_WAIT_PRIVATE, FUTEX_WAITERS | 103);
	put(&look, 0, FUTEX_WAITERS | 103);
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_MUTEX && guess.owner[WAIT_MUTEX] == 103);
	look = look_at(FUTEX_WAIT_BITSET,
		       108); /* not private: the kernel's wake-up at a thread's end */
	put(&look, 0, 108);
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_JOIN && guess.owner[WAIT_JOIN] == 108);
	put(&look, 0, 109);
	CHECK(decide(&look, NULL, &guess, &unsure) != WAIT_JOIN);
}

static void test_rwlock(void)
{
	struct lock_guess guess;
	const char *unsure;
	struct lock_look look = look_at(FUTEX_WAIT_BITSET_PRIVATE, 3);

	put(&look, -8, 3); /* write phase, locked */
	put(&look, 16, 107);
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_RWLOCK_READ &&
	      guess.owner[WAIT_RWLOCK_READ] == 107);
	CHECK(guess.base[WAIT_RWLOCK_READ] == 0x5000 - 8 && !unsure);
	put(&look, 16, 3000000); /* no such thread */
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_FUTEX);
	look = look_at(FUTEX_WAIT_BITSET_PRIVATE,
		       2); /* a writer waits until three readers are gone */
	put(&look, -8, 3 << 3 | 2);
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_RWLOCK_WRITE &&
	      !guess.owner[WAIT_RWLOCK_WRITE] && unsure && guess.holders);
}

static void test_condition_and_semaphore(void)
{
	struct lock_guess guess;
	const char *unsure;
	struct lock_look look = look_at(FUTEX_WAIT_BITSET_PRIVATE, 0);

	put(&look, -40, 6); /* sequence */
	put(&look, -24, 2); /* references of the first group */
	put(&look, -4, 1 << 3);
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_CONDITION &&
	      guess.base[WAIT_CONDITION] == 0x5000 - 40 && unsure);
	CHECK(decide(&look, "pthread_cond_timedwait@@GLIBC_2.3.2", &guess, &unsure) ==
		      WAIT_CONDITION &&
	      !unsure);
	put(&look, 4, 1);
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_CONDITION &&
	      strstr(unsure, "semaphore"));
	CHECK(decide(&look, "__new_sem_wait_slow64.constprop.0", &guess, &unsure) ==
		      WAIT_SEMAPHORE &&
	      !unsure);
	look = look_at(FUTEX_WAIT_BITSET_PRIVATE, 0);
	put(&look, 4, 2);
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_SEMAPHORE);
	put(&look, 8, FUTEX_PRIVATE_FLAG); /* shared, it says, but the call is private */
	CHECK(decide(&look, NULL, &guess, &unsure) == WAIT_FUTEX);
}

/* Whatever the bytes are: no crash, and no owner that does not live. */
static void test_random_memory(void)
{
	static const int operations[] = {FUTEX_WAIT_PRIVATE,
					 FUTEX_WAIT,
					 FUTEX_WAIT_BITSET,
					 FUTEX_WAIT_BITSET_PRIVATE,
					 FUTEX_LOCK_PI,
					 FUTEX_WAIT_REQUEUE_PI,
					 127,
					 -1};
	bool good = true;

	srandom(1);
	for (int round = 0; round < 200000; round++) {
		struct lock_look look = look_at(operations[random() % 8], (uint32_t)(random() % 4));
		struct lock_guess guess;
		const char *unsure;

		for (int i = 0; i < LOCK_AROUND / 4; i++) {
			uint32_t word =
				random() % 3 ? (uint32_t)(random() % 120) : (uint32_t)random();

			memcpy(look.memory + 4 * i, &word, 4);
		}
		enum wait_kind kind = decide(&look, NULL, &guess, &unsure);
		good = good && kind < WAIT_KINDS &&
		       (!guess.owner[kind] || is_thread(NULL, guess.owner[kind], true));
	}
	CHECK(good);
}

static void test_outputs(void)
{
	static const char *const stack[] = {"start_thread", "\033[2J<evil>\"", "futex_wait"};
	_cleanup_(threads_freep) struct threads *t = sample(3);
	_cleanup_(buf_done) struct buf text = BUF_INIT, json = BUF_INIT;

	strcpy(t->items[0].comm, "a\033]0;x\007\xff");
	for (size_t i = 0; i < 3; i++)
		frames(t, i, 2, 3, stack);
	waits(t, 0, 1);
	waits(t, 1, 0);
	t->items[1].wait.resource = "inventory_lock+0x0";
	t->items[2].since_ns = 2500000000;
	buf_addstr(&t->notes, "one note\n");
	threads_find_cycles(t);
	threads_find_groups(t);
	threads_text(t, &(struct threads_style){0}, &text);
	CHECK(!strchr(text.data, '\033') && !strchr(text.data, '\007'));
	CHECK(strstr(text.data, "DEADLOCK 1: 2 threads wait for each other for ever"));
	CHECK(strstr(text.data, "(inventory_lock+0x0), held by 100 a"));
	CHECK(strstr(text.data, "sleeping 2.5 s"));
	threads_json(t, &json);
	json_t *root = json_loads(json.data, 0, NULL);
	CHECK_STR(json_string_value(json_object_get(root, "schema")), "perfscope.threads/1");
	CHECK(json_array_size(json_object_get(root, "threads")) == 3);
	json_t *links = json_array_get(json_object_get(root, "deadlocks"), 0);
	CHECK(json_array_size(links) == 2);
	CHECK(json_integer_value(json_object_get(json_array_get(links, 0), "waits_for")) == 101);
	CHECK_STR(json_string_value(json_array_get(json_object_get(root, "notes"), 0)), "one note");
	json_decref(root);
}

static void test_goroutines(void)
{
	_cleanup_(threads_freep) struct threads *t = sample(1);
	_cleanup_(buf_done) struct buf text = BUF_INIT, json = BUF_INIT;
	struct threads *g = t->goroutines = sample(4);

	arena_free(g->memory);
	g->memory = t->memory; /* as a snapshot has it */
	g->what = "goroutine";
	waits(g, 0, 1);
	waits(g, 1, 0);
	waits(g, 2, 0);
	g->items[0].wait.unsure = "it is a guess";
	threads_find_cycles(t);
	threads_find_groups(t);
	threads_find_cycles(g);
	threads_find_groups(g);
	threads_text(t, &(struct threads_style){0}, &text);
	CHECK(strstr(text.data, "1 thread, 4 goroutines\n"));
	CHECK(strstr(text.data, "DEADLOCK 1: 2 goroutines seem to wait for each other for ever"));
	CHECK(strstr(text.data, "and 1 goroutine waits for them"));
	CHECK(strstr(text.data, "thread 100 t0"));
	threads_json(t, &json);
	json_t *root = json_loads(json.data, 0, NULL), *goroutines = json_object_get(root, "goroutines");
	CHECK(json_array_size(json_object_get(root, "deadlocks")) == 0);
	CHECK(json_array_size(json_object_get(goroutines, "deadlocks")) == 1);
	CHECK(json_array_size(json_object_get(goroutines, "items")) == 4);
	json_decref(root);
}

int main(void)
{
	test_two_of_six();
	test_several_cycles();
	test_no_cycle();
	test_processes();
	test_large();
	test_groups();
	test_mutex();
	test_owner_words();
	test_rwlock();
	test_condition_and_semaphore();
	test_random_memory();
	test_outputs();
	test_goroutines();
	return check_done("threads_graph");
}
