/* SPDX-License-Identifier: BSD-2-Clause */
/* What the symbolizer and its child say to each other, and how it is packed.
 *
 * A packet is one message of a SOCK_SEQPACKET socket: records one after the other, each a multiple
 * of 8 bytes. There are two sockets. On the first the parent sends modules and questions, and the
 * child answers questions strictly in their order. On the second the child asks for one file
 * at a time and waits for it. There are two children, one for names and one that unwinds, which
 * speak the same way of different things. Both ends run on one machine and come from one binary, so
 * records are plain structs; but the parent trusts nothing that comes from a child. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "unwind.h"

enum {
	PACKET_MAX = 64 * 1024,
	PACKET_FDS = 16,
	NAME_MAX_BYTES = 4096, /* longer names are cut */
	ANSWER_SYMBOLS = 64,   /* inlined frames at one address */
	BUILD_ID_MAX = 20,
	CODE_MAX = 56 * 1024,  /* of one function: with its header it fits into a packet */
	EXPLAINED_DEPTH = 256, /* deeper stacks, which are rarely like another one, are not explained: each is kept */
	NO_MODULE = UINT32_MAX,
};

enum record_type {
	RECORD_MODULE,  /* to the child, with one descriptor */
	RECORD_RESOLVE, /* to the child, answered by RECORD_ANSWER */
	RECORD_HELLO,   /* from here on to the parent */
	RECORD_MODULE_INFO,
	RECORD_ANSWER,
	RECORD_USAGE,
	RECORD_SETUP,   /* to the child that unwinds, with one descriptor */
	RECORD_SPACE,
	RECORD_FORGET_SPACE,
	RECORD_UNWIND,  /* answered by RECORD_UNWOUND, in order */
	RECORD_UNWOUND, /* from here on to the parent */
	RECORD_EXPLAINED, /* of the RECORD_UNWOUND before it */
	RECORD_TABLES,
	RECORD_CODE,    /* to the child that names: answered by any number of the last two, then */
	RECORD_CODE_ANSWER,
	RECORD_CALLEES, /* shaped as RECORD_ANSWER */
	RECORD_WAIT_LOOPS,
	RECORD_GENERATED, /* to the child that names: answered as RECORD_CODE, without code */
	RECORD_FORGET_MODULE, /* to the child that names */
	RECORD_TYPES,
};

enum module_kind { MODULE_ELF, MODULE_KERNEL, MODULE_PERF_MAP, MODULE_PYTHON, MODULE_MARKS, MODULE_KINDS };

struct record {
	uint32_t type;
	uint32_t size; /* with this header and the padding */
};

struct record_module {
	struct record head;
	uint32_t module;
	uint8_t kind; /* enum module_kind */
	bool source_lines;
	bool inlined;
	uint8_t build_id_len; /* 0: any file will do */
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t reserved;
};

/* No question about it follows before it is sent again. */
struct record_forget_module {
	struct record head;
	uint32_t module;
	uint32_t reserved;
};

struct record_resolve {
	struct record head;
	uint32_t module;
	uint32_t sequence;
	uint64_t offset;
};

struct record_code {
	struct record head;
	uint32_t module;
	uint32_t sequence;
	uint64_t offset;
	uint64_t size; /* at most CODE_MAX */
};

/* Code without a file: followed by `size` bytes from `start` on, padded to 8. */
struct record_generated {
	struct record head;
	uint32_t module; /* NO_MODULE */
	uint32_t sequence;
	uint64_t start, at;
	uint64_t size;
};

/* Followed by `len` bytes, padded to 8; 0: there are none. */
struct record_code_answer {
	struct record head;
	uint32_t sequence;
	uint32_t len;
};

/* Followed by `count` struct wait_loop. */
struct record_wait_loops {
	struct record head;
	uint32_t sequence;
	uint32_t count;
};

struct record_hello {
	struct record head;
	int64_t pid;
};

struct record_module_info {
	struct record head;
	uint32_t module;
	uint32_t build_id_len;
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t symbols;
};

struct record_usage {
	struct record head;
	uint64_t bytes; /* of memory that the child has allocated */
};

/* Followed by `count` answer_symbols, each followed by its strings without NUL, padded to 8. */
struct record_answer {
	struct record head;
	uint32_t sequence;
	uint32_t count;
};

struct answer_symbol {
	uint64_t start, size;
	uint32_t line;
	uint16_t name_len, file_len;
	uint8_t inlined;
	uint8_t reserved[7];
};

/* The descriptor is of shared memory that copied stacks are passed in. */
struct record_setup {
	struct record head;
	uint64_t stack_memory; /* bytes of it */
	uint64_t table_memory; /* bytes that unwind tables may take */
	uint64_t unused_ns;    /* tables that nobody uses for so long are forgotten */
};

/* Followed by mappings `first` .. `first + count` of `total`, ordered by address, without overlaps.
 * The first ones replace what the space was before. */
struct record_space {
	struct record head;
	uint32_t space;
	uint32_t total, first, count;
};

struct space_mapping {
	uint64_t start, end, offset;
	uint32_t module; /* or one of enum space_code */
	uint32_t reserved;
};

enum space_code {
	SPACE_JIT = NO_MODULE,
	SPACE_JIT_FP = NO_MODULE - 1, /* known to keep frame pointers */
	SPACE_CODES = SPACE_JIT_FP,   /* smaller numbers are modules */
};

struct record_forget_space {
	struct record head;
	uint32_t space;
	uint32_t reserved;
};

struct record_unwind {
	struct record head;
	uint32_t space;
	uint32_t sequence;
	/* In the shared memory: struct unwind_regs, then `len` bytes of stack. The child clears
	 * both. */
	uint64_t at, len;
	uint64_t stack_start, present; /* as in struct stack_copy */
	uint32_t explain; /* a RECORD_EXPLAINED is welcome */
	uint32_t unused;
};

/* Followed by `depth` addresses. */
struct record_unwound {
	struct record head;
	uint32_t sequence;
	uint8_t status, reason;
	uint16_t depth;
};

/* A complete stack and what the walk went by: see struct unwind_needs. Followed by the values of all registers,
 * 0 for those that it did not go by, by addresses as in
 * record_unwound, and by the words. */
struct record_explained {
	struct record head;
	uint32_t space;
	uint32_t depth, words;
	uint32_t unused;
	uint64_t stack_start, stack_len;
	uint64_t regs; /* bit set */
};

/* Of all that follows. */
static inline size_t explained_bytes(const struct record_explained *r)
{
	return UNWIND_X86_64_REGS * sizeof(uint64_t) + r->depth * sizeof(uint64_t) + r->words * sizeof(struct unwind_word);
}

struct record_tables {
	struct record head;
	uint64_t tables, bytes;
	uint64_t built, loaded, evicted, failed, unused;
	uint64_t unsupported; /* rows of the tables that are there */
};

/* The file socket: one question, one answer with a descriptor or without. */
enum wanted_kind {
	WANTED_BUILD_ID, /* a separate debug file: asked with what to find it by */
	WANTED_DEBUGLINK,
	WANTED_ALTLINK,
	WANTED_FILES, /* from here on for the child that unwinds alone */
	WANTED_MODULE = WANTED_FILES, /* the ELF file; the build id it must have, if known, comes along */
	WANTED_AGAIN,      /* the same, to see whether it opens; the answer has a byte if the module is known and it does not */
	WANTED_TABLE,      /* its table in the cache */
	WANTED_TABLE_ROOM, /* a file to put the table into; asked with its size, 8 bytes */
	WANTED_TABLE_KEPT, /* it is complete */
	WANTED_KINDS,
};

struct file_wanted {
	uint32_t module;
	uint32_t kind; /* enum wanted_kind */
	uint32_t len; /* of the bytes that follow: a build id, or a name */
};

static inline size_t record_padded(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* Zeros behind the last `size` bytes, up to there. */
void record_pad(struct buf *b, size_t size);

struct packet {
	struct buf data;
	int fds[PACKET_FDS];
	unsigned fd_count;
};

void packet_reset(struct packet *p); /* closes its descriptors */
void packet_done(struct packet *p);
/* 0, -EAGAIN (only on a non-blocking socket), or the error of a peer that is gone. */
int packet_send(int socket, const struct packet *p);
/* Replaces the packet; `wait` false: -EAGAIN if there is none. -EPIPE at the end of the stream. */
int packet_receive(int socket, struct packet *p, bool wait);
int packet_take_fd(struct packet *p); /* the next descriptor, now the caller's, or -1 */
/* Walk: *position starts at 0. NULL at the end, or when the rest is malformed (then *position is
 * not the packet's length). The record has at least the size that its type needs. */
const struct record *packet_next(const struct packet *p, size_t *position);
