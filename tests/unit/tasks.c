// SPDX-License-Identifier: BSD-2-Clause
/* Threads as records tell of them: who ends and goes on, and who is asked for too late. And which cgroup a process's is. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "mem.h"
#include "proc.h"
#include "store.h"
#include "tasks.h"

enum { PID = 4000000, OTHER, LATE, SECOND = 1000 }; /* more than a kernel gives */

static struct thread *begin(struct tasks *t, uint32_t tid, uint32_t pid, bool forked)
{
	return tasks_begin(t, &(struct task_record){.head = {.tid = tid, .tgid = pid, .time_ns = SECOND},
						    .slot = tid % 100, .forked = forked, .comm = "work"});
}

static void exits(struct tasks *t, uint32_t tid, uint32_t pid, bool last)
{
	tasks_exit(t, &(struct exit_record){.head = {.tid = tid, .tgid = pid, .time_ns = 2 * SECOND}, .last = last});
}

static void end_slice(struct tasks *t, struct store *s)
{
	CHECK(store_begin(s) == 0);
	tasks_write(t, s, 0);
	CHECK(store_commit(s) == 0);
}

/* What it did as it ended is told behind its end. */
static void test_ended(struct store *s)
{
	struct tasks *t = tasks_new();
	struct thread *thread = begin(t, PID, PID, true);

	exits(t, PID, PID, true);
	CHECK(!tasks_find_thread(t, PID));
	CHECK(tasks_known(t, PID, PID) == thread && tasks_thread(t, PID, PID, "work") == thread);
	thread->slot = -1;
	end_slice(t, s);
	CHECK(!tasks_known(t, PID, PID) && tasks_count(t) == 0);
	tasks_free(t);
}

/* Nobody will say that it ends. */
static void test_gone(struct store *s)
{
	struct tasks *t = tasks_new();
	struct thread *thread = tasks_recent(t, LATE, LATE);

	CHECK(thread->end_ns != UINT64_MAX && thread->process->end_ns != UINT64_MAX);
	CHECK(!tasks_find_thread(t, LATE));
	end_slice(t, s);
	CHECK(tasks_count(t) == 0 && !tasks_find_process(t, LATE));
	thread = tasks_recent(t, (uint32_t)getpid(), (uint32_t)getpid());
	CHECK(thread->end_ns == UINT64_MAX && thread->process->end_ns == UINT64_MAX);
	tasks_free(t);
}

/* Not the first thread has run another program. */
static void test_exec(struct store *s)
{
	struct tasks *t = tasks_new();
	struct thread *first = begin(t, PID, PID, true), *other = begin(t, OTHER, PID, true);
	const struct exec_record exec = {.head = {.tid = PID, .tgid = PID, .time_ns = 3 * SECOND}, .old_tid = OTHER, .comm = "new"};

	exits(t, PID, PID, false);
	tasks_exec(t, &exec);
	CHECK(tasks_find_thread(t, PID) == first && first->end_ns == UINT64_MAX);
	CHECK(other->end_ns == 3 * SECOND && !tasks_find_thread(t, OTHER));
	CHECK_STR(first->comm, "new");
	other->slot = -1;
	end_slice(t, s);
	CHECK(tasks_count(t) == 1);
	/* Told of anew, when its place was free already. */
	first->slot = -1;
	CHECK(begin(t, PID, PID, false) == first && first->slot == PID % 100);
	tasks_free(t);
}

/* What is known of its process alone is put down to the first thread, also when that has ended. */
static void test_first(struct store *s)
{
	struct tasks *t = tasks_new();
	struct thread *first = begin(t, PID, PID, true), *other = begin(t, OTHER, PID, true);

	exits(t, PID, PID, false);
	first->slot = -1;
	end_slice(t, s);
	CHECK(tasks_known(t, PID, PID) == first);
	exits(t, OTHER, PID, true);
	other->slot = -1;
	end_slice(t, s);
	end_slice(t, s);
	CHECK(tasks_count(t) == 0 && !tasks_find_process(t, PID));
	tasks_free(t);
}

static void check_cgroup(const char *lines, const char *wanted)
{
	_cleanup_free_ char *copy = xstrdup(lines);
	_cleanup_(buf_done) struct buf path = BUF_INIT;

	cgroup_choose(copy, &path);
	CHECK_STR(path.data, wanted);
}

static void test_cgroups(struct store *s)
{
	check_cgroup("12:cpuset:/set\n4:cpu,cpuacct:/quota\n1:name=systemd:/service\n0::/\n", "/quota");
	check_cgroup("12:cpuset:/set\n8:memory:/limit\n1:name=systemd:/service\n", "/limit");
	check_cgroup("12:cpuset:/set\n1:name=systemd:/service\n0::/unified\n", "/unified");
	check_cgroup("5:freezer:/cold\n1:name=systemd:/service\n", "/service");
	check_cgroup("4:cpu,cpuacct:/\n0::/\n", "/");
	check_cgroup("", "/");
}

int main(void)
{
	static void (*const tests[])(struct store *) = {test_ended, test_gone, test_exec, test_first, test_cgroups};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		_cleanup_(store_freep) struct store *s = NULL;

		CHECK(store_create(":memory:", &s) == 0);
		tests[i](s);
	}
	return check_done("tasks");
}
