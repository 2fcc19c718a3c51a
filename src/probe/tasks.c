// SPDX-License-Identifier: BSD-2-Clause
#include "tasks.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "hash.h"
#include "intern.h"
#include "mappings.h"
#include "mem.h"
#include "owed.h"
#include "proc.h"

struct tasks {
	struct map *threads;   /* living, by tid -> struct thread * */
	struct map *processes; /* by pid -> struct process * */
	struct thread **all;
	uint32_t count, capacity;
	struct thread **ended; /* of them */
	uint32_t ended_count, ended_capacity;
	struct intern *cgroups;
	uint32_t cgroups_written;
	uint32_t last_thread, last_process;
};

static void copy_comm(char to[COMM_LENGTH], const char *from)
{
	snprintf(to, COMM_LENGTH, "%s", from);
}

struct tasks *tasks_new(void)
{
	struct tasks *t = xcalloc(1, sizeof(*t));

	t->threads = map_new();
	t->processes = map_new();
	t->cgroups = intern_new();
	return t;
}

struct process *process_hold(struct process *p)
{
	p->references++;
	return p;
}

void process_release(struct process *p)
{
	if (--p->references)
		return;
	mappings_unref(p->mappings);
	map_free(p->python);
	free(p->command);
	free(p->exe);
	free(p);
}

/* Gives up one thread of the process; the last one takes the process along. */
static void drop_thread(struct tasks *t, struct thread *thread)
{
	struct process *p = thread->process;
	uint64_t value;

	if (!--p->threads && map_get(t->processes, p->pid, &value) && (struct process *)(uintptr_t)value == p)
		map_remove(t->processes, p->pid);
	process_release(p);
	owed_unref(thread->account.owed);
	free(thread);
}

void tasks_free(struct tasks *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < t->count; i++)
		drop_thread(t, t->all[i]);
	free(t->all);
	free(t->ended);
	map_free(t->threads);
	map_free(t->processes);
	intern_free(t->cgroups);
	free(t);
}

struct process *tasks_find_process(const struct tasks *t, uint32_t pid)
{
	uint64_t value;

	return map_get(t->processes, pid, &value) ? (struct process *)(uintptr_t)value : NULL;
}

struct thread *tasks_find_thread(const struct tasks *t, uint32_t tid)
{
	uint64_t value;

	return map_get(t->threads, tid, &value) ? (struct thread *)(uintptr_t)value : NULL;
}

static void set_cgroup(struct tasks *t, struct process *p, const char *path)
{
	uint32_t id = intern_id(t->cgroups, path, strlen(path), NULL) + 1;

	if (p->cgroup == id)
		return;
	p->cgroup = id;
	p->dirty = true;
}

static struct process *add_process(struct tasks *t, uint32_t pid, const char *comm)
{
	struct process *p = xcalloc(1, sizeof(*p));

	p->id = ++t->last_process;
	p->pid = pid;
	p->end_ns = UINT64_MAX;
	p->exit_status = -1;
	p->dirty = true;
	p->mappings = mappings_new();
	copy_comm(p->comm, comm);
	set_cgroup(t, p, "/");
	map_put(t->processes, pid, (uintptr_t)p);
	return p;
}

static struct thread *add_thread(struct tasks *t, struct process *p, uint32_t tid, const char *comm)
{
	struct thread *thread = xcalloc(1, sizeof(*thread));

	thread->id = ++t->last_thread;
	thread->tid = tid;
	thread->process = process_hold(p);
	thread->slot = -1;
	thread->end_ns = UINT64_MAX;
	thread->dirty = true;
	copy_comm(thread->comm, comm);
	p->threads++;
	GROW(t->all, t->count, t->capacity);
	thread->index = t->count;
	t->all[t->count++] = thread;
	map_put(t->threads, tid, (uintptr_t)thread);
	return thread;
}

void tasks_end(struct tasks *t, struct thread *thread, uint64_t now)
{
	if (thread->end_ns != UINT64_MAX)
		return;
	thread->end_ns = now;
	thread->dirty = true;
	if (tasks_find_thread(t, thread->tid) == thread)
		map_remove(t->threads, thread->tid);
	GROW(t->ended, t->ended_count, t->ended_capacity);
	t->ended[t->ended_count++] = thread;
}

/* A process has its leader's name; a thread's own has to do when the leader cannot be asked any more. */
static const char *process_comm(uint32_t pid, const char *thread_comm, char comm[COMM_LENGTH])
{
	return proc_comm(pid, comm) < 0 ? thread_comm : comm;
}

struct thread *tasks_known(const struct tasks *t, uint32_t tid, uint32_t tgid)
{
	struct thread *thread = tasks_find_thread(t, tid);

	for (uint32_t i = t->ended_count; !thread && i-- > 0;)
		if (t->ended[i]->tid == tid && t->ended[i]->process->pid == tgid)
			thread = t->ended[i];
	return thread;
}

static struct thread *make_thread(struct tasks *t, uint32_t tid, uint32_t tgid, const char *comm)
{
	struct process *p = tasks_find_process(t, tgid);
	char leader[COMM_LENGTH];

	if (!p) {
		p = add_process(t, tgid, process_comm(tgid, comm, leader));
		tasks_read_details(t, p);
	}
	return add_thread(t, p, tid, comm);
}

struct thread *tasks_thread(struct tasks *t, uint32_t tid, uint32_t tgid, const char *comm)
{
	struct thread *thread = tasks_known(t, tid, tgid);

	if (thread)
		return thread;
	thread = make_thread(t, tid, tgid, comm);
	if (proc_lives(tid, tgid))
		return thread;
	tasks_end(t, thread, clock_mono_ns());
	/* A process goes on without its first thread. */
	if (thread->process->end_ns == UINT64_MAX && thread->process->threads == 1 && !proc_lives(tgid, tgid)) {
		thread->process->end_ns = thread->end_ns;
		thread->process->dirty = true;
	}
	return thread;
}

struct thread *tasks_recent(struct tasks *t, uint32_t tid, uint32_t tgid)
{
	return tasks_thread(t, tid, tgid, "?");
}

static struct process *fork_process(struct tasks *t, const struct task_record *r)
{
	struct process *parent = tasks_find_process(t, r->creator), *p = add_process(t, r->head.tgid, r->comm);

	p->start_ns = r->head.time_ns;
	p->ppid = r->parent;
	if (!parent)
		return p;
	p->ppid = parent->pid;
	p->cgroup = parent->cgroup;
	p->flags = parent->flags & PROCESS_OWN;
	p->command = parent->command ? xstrdup(parent->command) : NULL;
	p->exe = parent->exe ? xstrdup(parent->exe) : NULL;
	p->mapped = parent->mapped;
	mappings_unref(p->mappings);
	p->mappings = mappings_ref(parent->mappings);
	return p;
}

struct thread *tasks_begin(struct tasks *t, const struct task_record *r)
{
	struct thread *old = tasks_find_thread(t, r->head.tid), *thread;
	char comm[COMM_LENGTH];
	struct process *p = tasks_find_process(t, r->head.tgid);

	if (old && !r->forked && old->slot < 0 && old->process == p) { /* it was met before it was told of */
		old->slot = r->slot;
		p->flags |= r->flags & TASK_KERNEL ? PROCESS_KERNEL : 0;
		p->selected |= r->flags & TASK_SELECTED;
		p->dirty = true;
		return old;
	}
	if (old)
		tasks_end(t, old, r->head.time_ns);
	if (r->forked && r->head.tid == r->head.tgid) {
		p = fork_process(t, r);
	} else if (!p) {
		p = add_process(t, r->head.tgid, process_comm(r->head.tgid, r->comm, comm));
		p->ppid = r->parent;
		tasks_read_details(t, p);
	}
	if (r->flags & TASK_KERNEL)
		p->flags |= PROCESS_KERNEL;
	p->selected |= r->flags & TASK_SELECTED;
	thread = add_thread(t, p, r->head.tid, r->comm);
	thread->slot = r->slot;
	if (r->forked)
		thread->start_ns = r->head.time_ns;
	return thread;
}

/* Another thread goes on under its number. */
static void go_on(struct tasks *t, struct thread *thread)
{
	uint32_t i = 0;

	while (t->ended[i] != thread)
		i++;
	t->ended[i] = t->ended[--t->ended_count];
	thread->end_ns = UINT64_MAX;
	thread->dirty = true;
	map_put(t->threads, thread->tid, (uintptr_t)thread);
}

static struct thread *executing_thread(struct tasks *t, const struct exec_record *r)
{
	struct thread *old = r->old_tid == r->head.tid ? NULL : tasks_find_thread(t, r->old_tid);
	struct thread *thread = tasks_known(t, r->head.tid, r->head.tgid);

	if (old && old->process->pid == r->head.tgid)
		tasks_end(t, old, r->head.time_ns);
	if (!thread)
		return make_thread(t, r->head.tid, r->head.tgid, r->comm);
	if (thread->end_ns != UINT64_MAX)
		go_on(t, thread);
	return thread;
}

void tasks_exec(struct tasks *t, const struct exec_record *r)
{
	struct process *p = executing_thread(t, r)->process;
	struct buf command = BUF_INIT, exe = BUF_INIT;

	tasks_rename(t, r->head.tid, r->head.tgid, r->comm);
	arguments_join(r->arguments, r->length < ARGUMENT_BYTES ? r->length : ARGUMENT_BYTES, &command);
	free(p->command);
	p->command = buf_steal(&command);
	if (proc_exe(p->pid, &exe) == 0) {
		free(p->exe);
		p->exe = buf_steal(&exe);
	}
	buf_done(&exe);
	p->dirty = true;
}

void tasks_exit(struct tasks *t, const struct exit_record *r)
{
	struct thread *thread = tasks_find_thread(t, r->head.tid);
	struct process *p = tasks_find_process(t, r->head.tgid);

	if (thread)
		tasks_end(t, thread, r->head.time_ns);
	if (!p || !r->last)
		return;
	p->end_ns = r->head.time_ns;
	p->exit_status = (int)(r->status & 0xffff);
	p->dirty = true;
}

void tasks_rename(struct tasks *t, uint32_t tid, uint32_t tgid, const char *comm)
{
	struct thread *thread = tasks_find_thread(t, tid);

	if (!thread)
		return;
	copy_comm(thread->comm, comm);
	thread->dirty = true;
	if (tid != tgid)
		return;
	copy_comm(thread->process->comm, comm);
	thread->process->dirty = true;
}

const char *tasks_cgroup(const struct tasks *t, uint32_t cgroup)
{
	return intern_key(t->cgroups, cgroup - 1, NULL);
}

void tasks_read_details(struct tasks *t, struct process *p)
{
	struct buf command = BUF_INIT, exe = BUF_INIT, cgroup = BUF_INIT;

	if (proc_command(p->pid, &command) == 0 && command.len) {
		free(p->command);
		p->command = buf_steal(&command);
	}
	if (proc_exe(p->pid, &exe) == 0) {
		free(p->exe);
		p->exe = buf_steal(&exe);
	}
	if (proc_cgroup(p->pid, &cgroup) == 0)
		set_cgroup(t, p, cgroup.data);
	if (!p->ppid)
		proc_parent(p->pid, &p->ppid);
	p->dirty = true;
	buf_done(&command);
	buf_done(&exe);
	buf_done(&cgroup);
}

uint32_t tasks_count(const struct tasks *t)
{
	return t->count;
}

struct thread *tasks_get(const struct tasks *t, uint32_t index)
{
	return t->all[index];
}

void tasks_each_ended(struct tasks *t, void (*each)(void *arg, struct thread *thread), void *arg)
{
	for (uint32_t i = 0; i < t->ended_count; i++)
		if (t->ended[i]->slot >= 0)
			each(arg, t->ended[i]);
}

/* Times from before the recording are 0: only what happened in it has a place on its time line. */
static uint64_t relative(uint64_t ns, uint64_t start)
{
	return ns == UINT64_MAX ? ns : ns > start ? ns - start : 0;
}

static void write_process(struct store *s, struct process *p, uint64_t start)
{
	if (!p->dirty)
		return;
	p->dirty = false;
	store_put_process(s, &(struct process_row){
		.id = p->id, .pid = p->pid, .ppid = p->ppid, .cgroup = p->cgroup, .comm = p->comm,
		.command = p->command, .exe = p->exe, .start_ns = relative(p->start_ns, start),
		.end_ns = relative(p->end_ns, start), .exit_status = p->exit_status, .flags = p->flags});
}

static void write_thread(struct store *s, struct thread *thread, uint64_t start)
{
	write_process(s, thread->process, start);
	if (!thread->dirty)
		return;
	thread->dirty = false;
	store_put_task(s, &(struct task_row){
		.id = thread->id, .process = thread->process->id, .tid = thread->tid, .comm = thread->comm,
		.start_ns = relative(thread->start_ns, start), .end_ns = relative(thread->end_ns, start)});
}

/* The first one, as long as others go on without it. */
static bool stands_for_process(const struct tasks *t, const struct thread *thread)
{
	return thread->tid == thread->process->pid && thread->process->threads > 1 && !tasks_find_thread(t, thread->tid);
}

static void forget_ended(struct tasks *t)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->ended_count; i++) {
		struct thread *thread = t->ended[i];

		if (thread->slot >= 0 || stands_for_process(t, thread)) {
			t->ended[kept++] = thread;
			continue;
		}
		t->all[thread->index] = t->all[--t->count];
		t->all[thread->index]->index = thread->index;
		drop_thread(t, thread);
	}
	t->ended_count = kept;
}

void tasks_write(struct tasks *t, struct store *s, uint64_t recording_start_ns)
{
	for (; t->cgroups_written < intern_count(t->cgroups); t->cgroups_written++)
		store_add_cgroup(s, t->cgroups_written + 1, intern_key(t->cgroups, t->cgroups_written, NULL));
	for (uint32_t i = 0; i < t->count; i++)
		write_thread(s, t->all[i], recording_start_ns);
	forget_ended(t);
}
