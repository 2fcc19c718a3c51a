/* SPDX-License-Identifier: BSD-2-Clause */
/* What kernel side and user side say to each other: the only header that both include.
 * All times are CLOCK_MONOTONIC nanoseconds. */
#pragma once

#ifndef __bpf__
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#endif

enum {
	COMM_LENGTH = 16,
	STACK_DEPTH = 127,      /* frames of one kernel or user stack: the kernel's own default limit */
	PAGE_BYTES = 4096,
	STACK_PAGES = 16,       /* of a user stack, copied at the most, */
	MOST_STACK_PAGES = 64,  /* and when more is asked for; also how far they may lie apart: stack_capture.present has a bit for each */
	ARGUMENT_BYTES = 512,   /* of a command line taken at exec */
	CGROUP_PATH_BYTES = 256,
	LATENCY_BUCKETS = 304,  /* the layout of base's histogram.h */
	TASK_PROBES = 8,        /* places where a thread's slot may be, */
	TASK_STRIDE = 6763,     /* far apart: tids in use come in long runs */
	TASK_WAKERS = 4,        /* threads that a thread's slot knows as its wakers */
	THREAD_REGISTERS = 36,  /* the most that pt_regs has: on arm64; x86-64 has 21 */
	THREAD_KERNEL_DEPTH = 64,
	COST_PERIOD = 64,       /* one run of a program in so many is timed */
	PYTHON_DEPTH = 127,     /* Python frames of one stack */
	PYTHON_TEXT_BYTES = 256, /* of a name; the longest is a byte less */
	PYTHON_LINES_BYTES = 4096, /* of a function's line table, likewise */
};

/* What a thread does. The kernel side adds up the time of each state. */
enum task_state {
	STATE_RUNNING,     /* on a CPU */
	STATE_RUNNABLE,    /* woken or new, waits for a CPU */
	STATE_PREEMPTED,   /* lost its CPU, waits for one */
	STATE_SLEEPING,    /* blocked, from here on: until a time has come */
	STATE_POLL,        /* for anything on a set of files, for input, for a connection: for work */
	STATE_LOCK,        /* futex, file lock, System V semaphore */
	STATE_IPC,         /* pipe, Unix socket, message queue, eventfd */
	STATE_NETWORK,     /* on a socket of a network */
	STATE_DISK,
	STATE_KERNEL_LOCK, /* mutex or rwsem of the kernel */
	STATE_FAULT,       /* for a page's content */
	STATE_RECLAIM,     /* for memory to become free */
	STATE_DIRTY,       /* held back for having dirtied too many pages */
	STATE_CHILD,       /* for another process to end or to exec */
	STATE_SIGNAL,      /* for a signal */
	STATE_IDLE,        /* kernel thread without work */
	STATE_OTHER,
	STATE_STOPPED,     /* by a signal, a tracer, a freezer */
	STATE_DEAD,        /* has left its CPU for ever: the slot is user space's to clear */
	STATE_ROOM = STATE_DEAD /* in the array: the dead have no time */
};

/* What a blocked thread's wait_key is. Of one that is stopped: by whom; the key is the tracer's process. */
enum wait_key { KEY_NONE, KEY_ADDRESS, KEY_FD, KEY_KERNEL_LOCK, KEY_ADDRESS_SPACE, KEY_DEVICE, KEY_SIGNAL,
		KEY_TRACER, KEY_FREEZER, KEY_MEMORY, /* an address at which a file is mapped */
		KEY_SEMAPHORES /* number of a set of System V's */ };

/* What a system call waits for when it blocks. */
enum wait_how {
	WAIT_KEY_ADDRESS = 1, /* its first argument is the address that is waited on */
	WAIT_KEY_FD = 2,      /* ... or the descriptor */
	WAIT_BY_FILE = 4,     /* the descriptor's kind is the cause */
	WAIT_BY_COMMAND = 8,  /* fcntl */
	WAIT_ANYHOW = 16,     /* `cause` even when uninterruptible */
	WAIT_IS_POLL = 32,    /* `cause` even when the kernel counts it as I/O */
	WAIT_FOR_MANY = 64,   /* for the first of many things, as an event loop does */
	WAIT_KEY_MEMORY = 128, /* its first argument is the address of what it writes back */
	WAIT_KEY_SEMAPHORES = 256, /* ... or the number of a set of semaphores */
};

struct syscall_wait {
	u16 cause; /* enum task_state */
	u16 how;   /* enum wait_how */
};

enum {
	SYSCALL_COUNT = 512,
	WAIT_WEIGHT_ONE = 256,
	WAIT_DRAWN_LATE = 1u << 31, /* in a weight: only when the wait was over; its stack was not taken as it began */
};

enum task_flag {
	TASK_SELECTED = 1, /* passes the filter; inherited at fork */
	TASK_OWN = 2,      /* perfscope itself */
	TASK_KERNEL = 4,
	TASK_WALK = 8,     /* its copied stacks end where it goes on elsewhere: frame pointers may lead there */
	TASK_VISIT = 16,   /* its wait, whose stack is not known, is to be told while it lasts */
};

/* How often and after how long a sleep another thread woke this one. */
struct waker {
	u32 tid; /* 0: free */
	u32 count;
	u64 ns;
};

/* A call site of a thread. Drawing is fair to a site when one wait is drawn, at a random place, of each group whose chances add up
 * to one: the same chances as by throwing dice for each wait, and far less noise. In 1/GROUPs. */
struct wait_site {
	u32 expected; /* average of past waits */
	u32 passed;   /* chances of this group so far */
	u32 pick;     /* 1 .. GROUP: the wait that they reach this in is drawn; 0: not chosen yet */
	/* Not 0: its waits are of several kinds, and the callers are looked at, too, for so much time of short waits. That costs
	 * as much as the rest of a switch, and one surprise may have come from outside. */
	u32 mixed;
};

/* One thread's account, in an array that user space maps: open addressing by tid, TASK_PROBES places,
 * no task storage and no system call to read it. Written by one CPU at a time, the one that switches
 * the thread, but for woken_ns. sequence is odd while it is being written. */
enum loop_poll {
	POLL_NONE,
	POLL_OF_LOOP,
	POLL_OF_NEW_LOOP, /* of which nothing is known yet */
	POLL_UNSEEN,      /* how the thread left was not seen: if it has to be woken it may have been one */
};

struct task_slot {
	/* What each switch touches comes first, in three cache lines. */
	u32 tid; /* 0: free */
	u32 tgid;
	u64 since_ns; /* of the present state */
	u64 woken_ns; /* 0, or when the blocked thread was woken: it is runnable since */
	u32 sequence;
	u8 state;
	u8 flags;
	u8 wait_key_kind; /* enum wait_key */
	u8 throttled;     /* balance_dirty_pages() is about to put it to sleep */
	u32 switches;     /* times it went to sleep */
	u32 preempted;    /* times it lost its CPU while it wanted it */
	u64 kernel_lock;  /* address of the kernel's lock that it is in line for; else 0 */
	u64 wait_interval_ns; /* that the present wait was drawn with; 0 not at all */
	u32 wait_weight;      /* 256ths of waits that it stands for; 0: not drawn; perhaps WAIT_DRAWN_LATE */
	u32 wait_site;        /* hash of the place of the call */

	u64 wait_key;         /* what it waits on: address or descriptor, while it is blocked */
	u64 runnable_ns;      /* when it began to wait for the CPU that it has or had last */
	u64 progress_ns;      /* of an event loop: when it last came back from its poll, or let another process go on */
	u64 queued_ns;        /* that it has waited for a CPU since then */
	u32 polls;            /* that it has waited in */
	u8 for_many;          /* enum loop_poll: whether the present wait is an event loop's poll */
	u8 file_cause;        /* what a wait on this descriptor at this site is for, */
	u16 mixed_at;         /* 0, or the place in `wait_sites` of the call whose waits are of several kinds */
	u32 file_site, file_fd;
	u64 file_until_ns;    /* until then */
	u64 start_ns;         /* tells a reused tid */

	struct wait_site site; /* where it waits, or has waited last */
	u32 site_place;        /* of that in `wait_sites`; 0: none */
	u16 loop_place;        /* of an event loop: where on its stack it polls, */
	u8 loop_fd;            /* and what, its last bits; 0: it has not yet */
	u8 loop_inner;         /* polls of others since */
	u64 called_ns;        /* when it last sent something to a service */
	u32 faults;           /* page faults so far */
	u32 fault_majors;     /* major ones before the last that was drawn: whether that is one shows at the next */
	u64 fault_drawn_ns;   /* when that began; 0: nothing is to be told */
	u64 ns[STATE_ROOM];
	struct waker wakers[TASK_WAKERS]; /* the heaviest; totals grow until another takes the place. A cache line */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct task_slot) == 384, "a thread's slot is six cache lines");

enum cost_of { COST_SWITCH, COST_WAKING, COST_SAMPLE, COST_LIFE, COST_BLOCK, COST_IRQ, COST_RECLAIM, COST_TCP, COST_SERVICE, COST_FAULT,
	       COST_SYSCALL, COST_SOFTIRQ, COST_DNS, COST_COLLECTION, COST_PMU, COST_SPACE,
	       COST_COUNT = 16 };

struct cost {
	u64 runs;
	u64 timed_runs;
	u64 timed_ns;
};

enum counter {
	LOST_RECORDS,   /* the ring was full */
	LOST_SLOTS,     /* no free slot for a thread */
	LOST_STACKS,    /* neither kernel nor user stack could be read */
	LOST_SWITCHES,  /* a thread left or took a CPU unseen */
	LOST_REQUESTS,  /* a table of the blkio probe was full */
	LOST_CONNECTIONS, /* a table of the tcp probe was full */
	LOST_SERVICES,  /* one of the service probe's was */
	LOST_RELEASES,  /* more long waits ended than are told */
	LOST_SYSCALLS,  /* the syscalls probe's tables were full */
	LOST_COLLECTIONS, /* the collector probe's was */
	COUNTER_COUNT = 10
};

/* One CPU's account, in an array that user space maps. */
/* What is taken at random, the longer the more often: the interval grows when it comes sooner than wanted, and shrinks else. */
struct budget {
	u64 interval_ns; /* what is so long is taken each time; 0: nothing is yet */
	u64 taken_ns;    /* when the last one was */
};

struct cpu_slot {
	/* What each switch touches comes first, in two cache lines. */
	struct budget waits;  /* stacks of waits */
	struct budget queues; /* waits for a CPU */
	u64 wait_gap_ns; /* wanted between two of a budget, on average; user space sets it */
	u64 progress_ns, queued_ns; /* of the thread that runs here; 0: it is no event loop */
	u32 running; /* tid, as of the last switch seen; 0 idle */
	u32 dirtied; /* pages that are nobody's yet: see blkio.h */

	u64 random;
	u64 releases_ns;
	struct cost cost[COST_COUNT];
	u64 counter[COUNTER_COUNT];
	u64 tick_ns;             /* when the sampling clock last ticked here */
	u64 tick_gap_ns;         /* longer between two ticks is a gap; user space sets it */
	u64 gap_since_ns, gap_until_ns; /* the last one */
	u64 service_since_ns; /* when counting of requests that are drawn began */
	u32 service_drawn;
	u32 service_shift;       /* one request in 1 << this is drawn */
	u32 releases; /* records since releases_ns */
	u32 fault_shift; /* that a place begins with that has not faulted yet; user space sets this each slice, */
	u32 fault_epoch; /* counts this up, */
	u32 fault_count; /* and clears this: drawn in the slice */
	u64 latency[LATENCY_BUCKETS]; /* run-queue waits that ended here */
} __attribute__((aligned(64)));

/* Fixed when the programs are loaded. */
struct config {
	u32 cpu_count;          /* length of the array of cpu_slot */
	u32 task_mask;          /* length of the array of task_slot, a power of two, less one */
	u32 ring_wakeup_bytes;  /* wake the reader when so much waits to be read */
	u32 wait_gap_ns;        /* between two stacks of waits on a CPU, at first; 0: none are taken */
	u32 stack_pages;        /* of a user stack are copied at the most */
	u8 filter;              /* only threads with TASK_SELECTED */
	u8 include_own;         /* samples of perfscope itself, too */
	u8 switch_has_state;    /* sched_switch's fourth argument: prev_state */
	u8 exclude_kernel;
	u8 copy_stacks;         /* user stacks as registers and bytes, not as frames */
	u8 has_task_registers;  /* bpf_task_pt_regs() */
	u8 sees_kernel_locks;   /* lock/contention_begin: a wait for one is known, not guessed */
	u8 victim_is_task;      /* mark_victim tells the task, not its number */
	u8 block_has_queue;     /* the tracepoints of requests have the queue in front, */
	u8 bio_has_queue;       /* ... those of bios: stable 5.10 has changed the former alone */
};

/* Where the kernel's text of these functions is; 0 unknown. */
enum place { PLACE_SCHEDULE, PLACE_WAKE, PLACE_FAULT, PLACE_COUNT };

struct place_range {
	u64 start, end;
};

enum record_kind { RECORD_SAMPLE, RECORD_TASK, RECORD_EXEC, RECORD_EXIT, RECORD_COMM, RECORD_CGROUP, RECORD_VICTIM,
		   RECORD_WAIT_BEGIN, RECORD_WAIT_END, RECORD_WAKE, RECORD_PYTHON_CODE, RECORD_RELEASE, RECORD_BURST,
		   RECORD_STOP, RECORD_SIGNAL, RECORD_FAULT, RECORD_FAULT_MAJOR, RECORD_QUEUE, RECORD_COLLECTION, RECORD_SPACE,
		   RECORD_COUNT, RECORD_KINDS };

struct record {
	u64 time_ns;
	u32 kind;
	u32 tid;
	u32 tgid;
	u32 cpu;
};

/* The user registers that unwinding starts from. All of them: assembly may keep its frame's address, or where it returns to, in any. */
struct user_registers {
	u64 ip, sp, bp, bx, r12, r13, r14, r15;
	u64 ax, cx, dx, si, di, r8, r9, r10, r11;
};

/* A captured stack: kernel frames at once; the user side either as frames (walked by frame pointers
 * in the kernel) or as registers and the used top of the stack, unwound in user space and then wiped. */
struct stack_capture {
	u16 kernel_depth;
	u16 user_depth;   /* of frames behind the kernel's; with pages only of a TASK_WALK, with Python's none */
	u16 python_depth; /* of Python frames behind the kernel's, packed: see PYTHON_FRAME_* */
	u16 python_cut;   /* there were more */
	u32 pages;        /* of PAGE_BYTES each in `stack`, close together; 0: none copied */
	u32 used;         /* bytes from sp to the stack's top, of a wait that an iterator tells; 0: unknown */
	u64 stack_start;  /* address of stack[0] */
	u64 present;      /* bit i: the page i behind stack_start is among them; large variables leave pages that nobody has touched */
	struct user_registers registers;
	u64 frames[2 * STACK_DEPTH]; /* leaf first: kernel, then user or Python */
	u8 stack[MOST_STACK_PAGES * PAGE_BYTES]; /* in BPF maps cut behind config.stack_pages */
};

/* A Python frame in 64 bits: the code object's address without the three bits that are always 0, the
 * instruction in units of two bytes, and whether the frame is the outermost of a run of the
 * interpreter's loop. A frame without a code object only says the latter. */
enum {
	PYTHON_FRAME_ENTRY = 1,
	PYTHON_FRAME_UNIT_SHIFT = 1,
	PYTHON_FRAME_UNIT_MASK = (1 << 19) - 1,
	PYTHON_FRAME_NO_UNIT = PYTHON_FRAME_UNIT_MASK, /* not begun, or out of range */
	PYTHON_FRAME_CODE_SHIFT = 20,
	PYTHON_CODE_ALIGN_SHIFT = 3
};

enum python_entry {
	PYTHON_ENTRY_EACH, /* each frame has its own run of the loop */
	PYTHON_ENTRY_FLAG, /* the byte at frame_entry says so */
	PYTHON_ENTRY_SHIM, /* a frame of its own between the runs, whose byte at frame_entry is PYTHON_OWNER_C_STACK */
};

enum {
	PYTHON_OWNER_C_STACK = 3,
	PYTHON_FRAME_BYTES = 112, /* of a frame: all of its fields used here are within */
	PYTHON_CODE_NAMES = 4,    /* pointers next to each other in a code object */
	/* The same in all versions: */
	PYTHON_OBJECT_TYPE = 8,
	PYTHON_STATE_KIND_SHIFT = 2, /* of a str: the width of its characters */
	PYTHON_STATE_COMPACT = 1 << 5,
	PYTHON_STATE_ASCII = 1 << 6,
	PYTHON_THREAD_PREVIOUS = 0,
	PYTHON_THREAD_NEXT = 8,
	PYTHON_THREAD_INTERPRETER = 16,
};

/* Where a version of CPython keeps what is needed; offsets in bytes. */
struct python_layout {
	u16 interpreters;      /* first interpreter, in _PyRuntime */
	u16 interpreter_next;
	u16 interpreter_threads; /* newest thread state */
	u16 thread_id;         /* pthread_self() */
	u16 thread_frame;      /* current frame, or the structure that has it: */
	u16 indirect_frame;    /* there; PYTHON_DIRECT: thread_frame is it */
	u16 frame_code, frame_back, frame_instruction, frame_entry;
	u16 code_names;        /* PYTHON_CODE_NAMES pointers: file name first, name second */
	u16 code_first_line;
	u16 code_bytes;        /* the instructions; 0: frame_instruction is no address but an index */
	u16 text_ascii, text_other; /* where the characters begin */
	u8 name, lines;        /* which of the pointers is the full name, and the line table */
	u8 names;              /* how many of them there are */
	u8 index_shift;        /* of an instruction's index or distance, to come to units of two bytes */
	u8 entry;              /* enum python_entry */
	u8 lines_format;       /* enum python_lines_format, for user space */
};

enum { PYTHON_DIRECT = 0xffff };

/* A process that runs CPython. */
struct python_process {
	u64 runtime;           /* address of _PyRuntime */
	u64 code_type, unicode_type, bytes_type; /* addresses of the types' objects */
	struct python_layout layout;
};

struct python_code_key {
	u32 tgid, unused;
	u64 code;
};

struct python_text {
	u32 bytes;             /* in use */
	u32 width;             /* of a character in bytes: 1 (Latin-1), 2 or 4 */
	char text[PYTHON_TEXT_BYTES];
};

/* A code object that is new or has changed; comes before the first stack that it is in. */
struct python_code_record {
	struct record head;
	u64 code;
	u32 first_line;
	u32 lines_bytes;
	u32 lines_cut;
	u32 unused;
	struct python_text name, file;
	u8 lines[PYTHON_LINES_BYTES]; /* last, and cut behind lines_bytes */
};

/* A CPU sample. */
struct sample_record {
	struct record head;
	char comm[COMM_LENGTH];
	struct stack_capture stack; /* last, and cut behind what it holds */
};

/* A thread got a CPU that it had waited for; one was drawn of so many. */
struct queue_record {
	struct record head;
	u64 since_ns;
	u32 weight; /* 256ths */
	u32 unused;
};

/* A wait whose stack is wanted: as it begins (the waiter's stack), as it ends (its kernel stack, if it had not been
 * drawn), and the waker's stack. All three name the waiter and when the wait began. While it lasts, an iterator tells it like
 * one that begins, but for the user stack's bytes: `stack.pages` from `stack.stack_start` on are still to be read. */
struct wait_record {
	struct record head; /* the waiter's; time_ns is the event's */
	u64 since_ns;
	u64 key;
	u32 weight;         /* 256ths; 0: not drawn, but outlasted the interval; perhaps WAIT_DRAWN_LATE */
	u32 site;
	u32 other_tid, other_tgid; /* the waker's; 0 an interrupt */
	u64 thread_pointer; /* of a wait that an iterator tells */
	u8 state;           /* enum task_state */
	u8 key_kind;        /* enum wait_key */
	u8 outlasted;       /* the interval: it stands for itself alone */
	u8 unused[5];
	struct stack_capture stack; /* last, and cut behind what it holds */
};

enum { FAULT_PAGE_BITS = 15 };

static inline u64 fault_page_hash(u32 tgid, u64 address)
{
	return ((u64)tgid << 36 ^ address >> 12) * 0x9e3779b97f4a7c15ull;
}

static inline u32 fault_page_index(u32 tgid, u64 address)
{
	return (u32)(fault_page_hash(tgid, address) >> (64 - FAULT_PAGE_BITS));
}

/* A page fault that was drawn, as it begins. One that turns out to be a major one (it had to wait for the page's
 * content) is told by a RECORD_FAULT_MAJOR, which is a head alone. */
struct fault_record {
	struct record head;
	u64 address;
	u64 token;   /* is in the map fault_pages at fault_page_index() until the same page faults again */
	u32 weight;  /* faults that it stands for */
	u32 present; /* there was a page, of which something was not allowed */
	struct stack_capture stack; /* last, and cut behind what it holds */
};

/* A thread that is new: forked, or met for the first time. */
struct task_record {
	struct record head;
	u32 slot;
	u32 parent; /* its process's parent */
	u64 start_ns;
	u32 flags; /* enum task_flag */
	u32 forked;
	u32 creator; /* process that forked it */
	u32 state;   /* enum task_state */
	char comm[COMM_LENGTH];
};

struct exec_record {
	struct record head;
	char comm[COMM_LENGTH];
	u32 old_tid; /* another than the head's: not the first thread has done it, and it took that one's number */
	u32 length;
	char arguments[ARGUMENT_BYTES]; /* separated by NULs, cut at `length` */
};

struct exit_record {
	struct record head;
	u32 status; /* as from wait(2) */
	u32 last;   /* the process's last thread */
};

struct comm_record {
	struct record head;
	char comm[COMM_LENGTH];
};

/* A process that is killed for want of memory; the head and comm are who wanted some. */
struct victim_record {
	struct record head;
	u32 victim; /* process */
	u32 unused;
	char comm[COMM_LENGTH];
};

/* A thread's long wait on another of its process is over: a part of a pause, perhaps. The head is the waiter's. */
struct release_record {
	struct record head;
	u64 since_ns;
	u32 other_tid; /* who let it go on */
	u32 unused;
};

/* An event loop has come back to its poll, or let another process go on, for the first time since since_ns. */
struct burst_record {
	struct record head;
	u64 since_ns;
	u64 queued_ns; /* of that, waiting for a CPU */
};

/* A garbage collection is over; the head is the thread's that did it. */
struct collection_record {
	struct record head;
	u64 since_ns;
};

/* A thread that was stopped goes on. */
struct stop_record {
	struct record head;
	u64 since_ns;
	u32 how;    /* enum wait_key */
	u32 tracer; /* process, of KEY_TRACER */
};

/* A signal that stops, continues or ends a process; the head is the sender's. */
struct signal_record {
	struct record head;
	u32 signal;
	u32 target; /* process */
	char comm[COMM_LENGTH]; /* the sender's */
};

struct cgroup_record {
	struct record head;
	u32 hierarchy;
	u32 whole_process;
	char path[CGROUP_PATH_BYTES];
};

/* What the thread iterator says about one thread. Numbers of threads and processes are those of the
 * reader's PID namespace. */
struct thread_record {
	u64 now_ns;   /* when this was read */
	u64 clock_ns; /* the scheduler's clock as the reader's CPU last looked at it, at or before
			 now_ns; 0 unknown */
	u64 ran_ns;   /* when the thread last had a CPU, by the scheduler's clock */
	u64 start_ns;
	u64 switches; /* times it left a CPU */
	u32 tid, tgid;
	u32 own_tid;  /* as the thread knows itself, in its own namespace */
	u32 state;    /* as the kernel's __state, 0 runnable or running */
	u32 flags;    /* enum thread_record_flag */
	u32 cpu;
	char comm[COMM_LENGTH];
	u64 registers[THREAD_REGISTERS]; /* at the entry to the kernel, in pt_regs' order */
	u32 depth;
	u64 kernel[THREAD_KERNEL_DEPTH]; /* leaf first; `depth` of them are sent */
};

enum thread_record_flag {
	THREAD_ON_CPU = 1,
	THREAD_KERNEL_THREAD = 2,
	THREAD_IOWAIT = 4,
	THREAD_HAS_REGISTERS = 8,
};
