/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes and threads as the capture knows them: who they are, when they lived, and which of it is
 * already in the recording. Ended ones are forgotten once they are written. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "store_write.h"
#include "wire.h"

struct map;
struct mappings;
struct owed;

/* Who sent a process a signal. */
struct sent_signal {
	uint32_t signal; /* 0: none */
	uint32_t pid;
	char comm[COMM_LENGTH];
	uint64_t time_ns;
};

struct process {
	uint32_t id; /* in the recording */
	uint32_t pid, ppid;
	char comm[COMM_LENGTH];
	char *command, *exe; /* may be NULL */
	uint32_t cgroup;     /* id of tasks_cgroup() */
	uint64_t start_ns, end_ns;
	int exit_status;
	uint32_t flags;      /* enum process_flag */
	uint32_t threads;    /* alive or not yet written */
	uint32_t references; /* of them, and of whoever else holds it */
	bool selected;       /* passes the filter */
	bool walk;           /* TASK_WALK is for its threads */
	bool collects;       /* its runtime tells when it collects garbage */
	bool mapped;         /* mappings have been read or inherited */
	bool dirty;
	uint32_t files_slice;  /* the limits probe's: in which its open files were counted; 0: never */
	struct mappings *mappings;
	struct map *python; /* code object -> function; NULL: none seen. python_code.c's */
	uint32_t python_image; /* id of the interpreter's image; 0: runs none that is known */
	bool python_checked;   /* its mappings have been looked at for one */
	struct sent_signal stopped_by, ended_by; /* the last signals of that kind */
	uint64_t stop_ns, stop_end_ns; /* the last stop that was told; 0: none */
};

/* What the sched probe remembers of a thread from slice to slice. */
struct account {
	uint64_t taken[STATE_ROOM]; /* ns that are already in the recording */
	uint32_t switches, preempted;
	uint32_t polls;              /* the pause probe's */
	uint32_t span;               /* open span in the recording, 0 none */
	uint32_t span_state;         /* enum task_state */
	uint64_t span_start_ns;      /* CLOCK_MONOTONIC */
	uint64_t span_until_ns;      /* `taken` holds the span up to here */
	bool stack_span;             /* offcpu has one, too, under the wait's stack; or had: until `span` ends */
	uint64_t visited_ns;         /* since_ns of the last wait that was visited: see asleep.h */
	struct owed *owed;           /* NULL before offcpu wants it */
	struct waker wakers[TASK_WAKERS]; /* as they were when they were last written */
	uint64_t since_ns, woken_ns; /* of the slot when the span was opened: unchanged while it lasts */
};

struct thread {
	uint32_t id; /* in the recording: task.id */
	uint32_t tid;
	struct process *process;
	char comm[COMM_LENGTH];
	uint64_t start_ns, end_ns; /* end_ns UINT64_MAX: alive */
	int64_t slot;              /* in the array of task_slot; -1 none */
	bool dirty;
	uint32_t index;            /* its place in the list of all */
	struct account account;
};

struct tasks;

struct tasks *tasks_new(void);
void tasks_free(struct tasks *t);

struct process *process_hold(struct process *p);
void process_release(struct process *p);

struct process *tasks_find_process(const struct tasks *t, uint32_t pid);
struct thread *tasks_find_thread(const struct tasks *t, uint32_t tid);

/* The thread of that number that lives or, last of all, has ended within the slice; NULL: it is not known. */
struct thread *tasks_known(const struct tasks *t, uint32_t tid, uint32_t tgid);
/* The same, made when it is not known, with what /proc or `comm` still tell. One that is gone has ended: nothing would ever say so. */
struct thread *tasks_thread(struct tasks *t, uint32_t tid, uint32_t tgid, const char *comm);
struct thread *tasks_recent(struct tasks *t, uint32_t tid, uint32_t tgid);
/* A thread that has just begun: any older one of that tid has ended. */
struct thread *tasks_begin(struct tasks *t, const struct task_record *r);
void tasks_exec(struct tasks *t, const struct exec_record *r);
void tasks_exit(struct tasks *t, const struct exit_record *r);
void tasks_rename(struct tasks *t, uint32_t tid, uint32_t tgid, const char *comm);
void tasks_end(struct tasks *t, struct thread *thread, uint64_t now);
const char *tasks_cgroup(const struct tasks *t, uint32_t cgroup); /* path */

/* Command line, executable, cgroup from /proc, as far as they are there. */
void tasks_read_details(struct tasks *t, struct process *p);

/* All threads, ended ones that are not yet written included; they stay valid until tasks_write(). */
uint32_t tasks_count(const struct tasks *t);
struct thread *tasks_get(const struct tasks *t, uint32_t index);
/* Only those that have ended and still hold a slot. */
void tasks_each_ended(struct tasks *t, void (*each)(void *arg, struct thread *thread), void *arg);

/* Rows of all that changed; then ended threads without a slot, and processes without threads, are freed. */
void tasks_write(struct tasks *t, struct store *s, uint64_t recording_start_ns);
