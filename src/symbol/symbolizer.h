/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses -> names, and copied stacks -> addresses.
 *
 * Files are opened here, with the rights and the view of the process that asks, and read in
 * children without privileges: one finds names, the other unwinds; neither waits for the other.
 * Nothing here waits for them but symbolizer_flush(): questions are queued, and answers reach the
 * handler from symbolizer_dispatch() or symbolizer_flush(), in the order of the questions, each
 * exactly once. When a child dies or hangs it is started again; a module that was being worked on
 * at two such moments is not tried any more, its addresses stay without names. Stacks that were
 * with a child that died are answered as lost.
 *
 * Call symbolizer_new() early: children inherit nothing of what is opened or mapped later. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"
#include "unwind.h"

struct symbolizer;

/* The name of a function of which only the place is known: `start` tells it from others. */
#define SYMBOL_NAMELESS "?"

struct symbol {
	const char *name;     /* demangled, valid UTF-8 but otherwise hostile; never NULL */
	const char *file;     /* NULL: unknown */
	uint32_t line;        /* 0: unknown */
	uint64_t start, size; /* of the function, in the terms of the question; 0, 0: unknown */
	bool inlined;         /* into the symbol that follows */
};

/* `symbols` innermost first, valid during the call; count 0: no name. The handler may ask again,
 * but not free. */
typedef void symbol_handler(void *arg, uint32_t frame, const struct symbol *symbols, size_t count);

/* The answer to symbolizer_unwind(), rules as for symbol_handler. Addresses leaf first; those
 * behind the first are return addresses: look them up minus one. (Of a caller that a signal
 * interrupted it is the address plus one, so that this holds for it, too.) Complete: the last one
 * is the thread's outermost frame; truncated: see `reason`; unreadable or lost: there are none. */
typedef void unwound_handler(void *arg, uint64_t cookie, const uint64_t *addresses, size_t depth,
			     enum unwind_status status, enum unwind_reason reason);

/* The answer to symbolizer_request_code(); `len` 0: the code cannot be had. Before it the functions that
 * begin in the same module where this code calls to come to code_callees, in parts, and perhaps again. */
typedef void code_handler(void *arg, uint32_t function, const void *bytes, size_t len);

/* Likewise before it, if there are any: loops in the code that only wait. */
struct wait_loop;
typedef void wait_loop_handler(void *arg, uint32_t function, const struct wait_loop *loops, size_t count);

struct symbolizer_options {
	bool source_lines; /* read debug info for lines (slower, more memory) */
	bool inlined;      /* and for functions that were inlined; lines come with them */
	symbol_handler *handler;
	code_handler *code; /* NULL, with the next: no code will be asked for */
	symbol_handler *code_callees; /* with `function` for the frame */
	wait_loop_handler *wait_loops; /* NULL: they are of no interest */
	unwound_handler *unwound; /* NULL: nothing will be unwound */
	bool remembers; /* a stack like an earlier one is answered at once, from within symbolizer_unwind() */
	bool gathers; /* stacks, and questions about programs' files, wait for symbolizer_send(), until there are many */
	void *arg;
	uint64_t table_memory;    /* for unwind tables that are not mapped from the cache, in bytes; 0: 24 MiB */
	const char *table_cache;  /* the directory that keeps them; NULL: the usual; "": none */
	uint64_t unused_ns;       /* what children have made of files is forgotten when nobody needs it for so long; 0: half a minute */
};

struct symbol_mapping {
	pid_t pid;                  /* 0: no process, the path is the host's */
	uint64_t start, end;        /* addresses in the process */
	uint64_t offset;            /* in the file */
	const char *path;           /* as the kernel reports it, in the process's own root */
	uint32_t dev_major, dev_minor;
	uint64_t inode;             /* 0: unknown */
	uint64_t inode_generation;  /* 0: unknown */
	uint8_t build_id[20];
	size_t build_id_len;        /* 0: unknown */
};

struct symbolizer_stats {
	uint64_t requests, named, unnamed;
	uint64_t modules, opened, open_failed;
	uint64_t modules_known; /* now */
	uint64_t restarts;    /* of the child, after it died or hung */
	uint64_t poisoned;    /* modules given up because of that */
	uint64_t forgotten;   /* by the child that names, as nobody asked about them */
	uint64_t child_bytes; /* allocated in the child, as it last said */
	pid_t child_pid;      /* 0: none runs */
	/* Unwinding: */
	uint64_t unwinds;     /* requests */
	uint64_t remembered;  /* of them: they were like others */
	uint64_t unwound[UNWIND_STATUSES], truncated[UNWIND_REASONS]; /* answers */
	uint64_t tables, table_bytes, rows_unsupported; /* there now */
	uint64_t tables_built, tables_loaded; /* from the cache */
	uint64_t tables_evicted, tables_failed;
	uint64_t tables_unused; /* forgotten as nobody needed them */
	uint64_t unwind_restarts;
	pid_t unwind_pid;     /* 0: none runs */
};

int symbolizer_new(const struct symbolizer_options *options, struct symbolizer **ret);
void symbolizer_free(struct symbolizer *s); /* answers that are still due are dropped */
/* Poll the descriptor for reading, and dispatch whenever it is readable. It stays the same. */
int symbolizer_fd(const struct symbolizer *s);
int symbolizer_dispatch(struct symbolizer *s); /* negative errno: it can never work again */

/* What the kernel says of a process's mapping names a file that can be opened; not so memory that is shared without one, unless
 * the process runs that. */
bool symbol_path_opens(const char *path, uint64_t inode, pid_t pid);

/* Modules: a small id (>= 0) at once, the same for the same module; negative errno otherwise. */
int symbolizer_kernel(struct symbolizer *s); /* its offsets are absolute addresses */
/* Offsets in the file, of functions and of variables; of a variable in the zeroed memory behind the file's own
 * as if the file went on. Call it for each process that has the module mapped: if it could not be
 * opened through one of them, the next one is tried. */
int symbolizer_elf(struct symbolizer *s, const struct symbol_mapping *m);
/* The same file, as CPython's: any question is answered with the symbols that its stacks are found by, each with the
 * distance from where the file's first byte would be mapped. */
int symbolizer_python(struct symbolizer *s, const struct symbol_mapping *m);
/* The same file: any question is answered with places in it that are marked for tracers (SystemTap's notes) at which a garbage
 * collector begins or ends: name "provider:name", `start` the offset in the file, `size` that of the counter which must not be 0
 * for the mark to be reached, 0 none. */
int symbolizer_marks(struct symbolizer *s, const struct symbol_mapping *m);
/* Forgets modules of which nobody has spoken since the last time but by questions that have been answered: files that had to be looked
 * for, that are in an address space, that are with a child, or that symbolizer_use() is called for stay. Their ids are not used again. */
void symbolizer_use(struct symbolizer *s, int module);
void symbolizer_forget_unused(struct symbolizer *s);
/* A descriptor of the module's file, the caller's; negative errno. */
int symbolizer_open(const struct symbolizer *s, int module);
int symbolizer_vdso(struct symbolizer *s);                /* offsets in the [vdso] mapping */
int symbolizer_perf_map(struct symbolizer *s, pid_t pid); /* addresses in the process */
/* It has exited or runs another program: its perf map says nothing about who has the pid next. */
void symbolizer_forget_process(struct symbolizer *s, pid_t pid);

/* -ENOENT: no such module. -EAGAIN: the queue is full, dispatch first. For a caller's frame ask
 * with the return address minus one. */
int symbolizer_request(struct symbolizer *s, int module, uint64_t offset, uint32_t frame);
/* The machine code of a function of an ELF module, at most SYMBOL_CODE_MAX bytes, in the same queue and order.
 * Errors as above; -EINVAL: another kind of module, or too large. */
enum { SYMBOL_CODE_MAX = 56 << 10 };
int symbolizer_request_code(struct symbolizer *s, int module, uint64_t offset, uint64_t size, uint32_t function);

/* Loops that only wait around `at` in code that has no file, of which `size` bytes from `start` on are given, SYMBOL_GENERATED_MAX
 * at the most: they come to wait_loops, and then to the code handler, without bytes. */
enum { SYMBOL_GENERATED_MAX = 512 };
int symbolizer_request_loops(struct symbolizer *s, const void *bytes, uint32_t size, uint64_t start, uint64_t at, uint32_t function);

/* Unwinding. A space is a process's executable mappings, known by a number of the caller's choice
 * that is never used again for another one. */
struct symbol_space_mapping {
	uint64_t start, end, offset; /* offset: in the file */
	int module; /* from symbolizer_elf() or symbolizer_vdso(), or one of these: */
};

enum symbol_code {
	SYMBOL_CODE_GENERATED = -1,    /* at run time, without a file */
	SYMBOL_CODE_GENERATED_FP = -2, /* the same, and known to keep frame pointers: V8, and a JVM
					* with -XX:+PreserveFramePointer */
};

/* Bytes of a thread's stack, not owned. */
struct stack_copy {
	uint64_t start; /* address of the first */
	const void *bytes;
	size_t len;
	uint64_t present; /* bit i: the page of 4 KiB that lies i behind `start` is among the bytes; 0: all are, without a gap */
};

/* Define a space, or replace what it was. -E2BIG: over 65,536 mappings. Order does not matter. */
int symbolizer_space(struct symbolizer *s, uint32_t space, const struct symbol_space_mapping *m,
		     size_t count);
/* What was asked so far is still answered. */
void symbolizer_forget_space(struct symbolizer *s, uint32_t space);
/* Registers and stack, best from 128 bytes below the stack pointer on; all are copied at once, and the copies are cleared after use, in both processes. With
 * `remembers` what the walk went by (a few registers and words of the stack, return addresses for the most part) is kept in this one.
 * -ENOENT: no such space. -EAGAIN: the queue is full, or no child can be started now; there will be
 * no answer. */
int symbolizer_unwind(struct symbolizer *s, uint32_t space, const struct unwind_regs *regs,
		      const struct stack_copy *stack, uint64_t cookie);

/* What waits to be unwound or named goes to the children: to wake them for many at once is cheaper. */
void symbolizer_send(struct symbolizer *s);
/* There are stacks of mappings among it that have not been met before: their files can be opened only as long as the process lives. */
bool symbolizer_has_news(const struct symbolizer *s);

/* Dispatch until nothing is due, or time is up: only at the end. */
void symbolizer_flush(struct symbolizer *s, uint64_t timeout_ns);

/* False: unknown (so far). */
bool symbolizer_module_build_id(const struct symbolizer *s, int module, uint8_t ret_id[20],
				size_t *ret_len);
const struct symbolizer_stats *symbolizer_stats(const struct symbolizer *s);

DEFINE_CLEANUP(struct symbolizer *, symbolizer_free)
