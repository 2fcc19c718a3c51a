// SPDX-License-Identifier: BSD-2-Clause
#include "unwind_child.h"

#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_image.h"
#include "mem.h"
#include "protocol.h"
#include "unwind_spaces.h"

enum { PAGE = 4096, PAGES_MAX = 64 }; /* bits of record_unwind.present */

struct unwind_child {
	int socket;
	struct unwind_tables *tables;
	struct unwind_spaces *spaces;
	char *stacks; /* shared with the parent */
	size_t stacks_len;
	struct record_tables reported;
	struct unwind_input input;
	struct unwind_stack stack[PAGES_MAX]; /* pieces of one */
	struct unwind_output output;
	struct packet in, out;
};

static void report_tables(struct unwind_child *c)
{
	struct record_tables now;

	unwind_tables_report(c->tables, &now);
	if (!memcmp(&now, &c->reported, sizeof(now)))
		return;
	c->reported = now;
	buf_add(&c->out.data, &now, sizeof(now));
}

static void flush(void *arg)
{
	struct unwind_child *c = arg;

	if (c->out.data.len && packet_send(c->socket, &c->out) < 0)
		_exit(0); /* the parent is gone */
	packet_reset(&c->out);
}

static void on_setup(struct unwind_child *c, const struct record *record)
{
	const struct record_setup *r = (const void *)record;
	int fd = packet_take_fd(&c->in);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size < r->stack_memory)
		_exit(1);
	c->stacks_len = r->stack_memory;
	c->stacks = mmap(NULL, c->stacks_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c->stacks == MAP_FAILED)
		_exit(1);
	close(fd);
	unwind_tables_budget(c->tables, r->table_memory, r->unused_ns);
}

static void on_space(struct unwind_child *c, const struct record *record)
{
	unwind_spaces_define(c->spaces, (const void *)record);
}

static void on_forget_space(struct unwind_child *c, const struct record *record)
{
	unwind_spaces_forget(c->spaces,
			     ((const struct record_forget_space *)(const void *)record)->space);
}

static void add_answer(struct unwind_child *c, uint32_t sequence)
{
	const struct unwind_output *out = &c->output;
	struct record_unwound record = {
		.head = {RECORD_UNWOUND,
			 (uint32_t)(sizeof(record) + out->count * sizeof(*out->ip))},
		.sequence = sequence,
		.status = (uint8_t)out->status,
		.reason = (uint8_t)out->reason,
		.depth = (uint16_t)out->count};

	buf_add(&c->out.data, &record, sizeof(record));
	buf_add(&c->out.data, out->ip, out->count * sizeof(*out->ip));
	/* A caller that a signal interrupted: see unwound_handler. */
	uint64_t *address =
		(void *)(c->out.data.data + c->out.data.len - out->count * sizeof(*out->ip));
	for (uint32_t i = 1; i < out->count; i++)
		address[i] += out->exact[i];
	if (c->out.data.len > PACKET_MAX / 2)
		flush(c);
}

static bool can_explain(const struct unwind_output *out)
{
	return out->status == UNWIND_COMPLETE && out->needs.known && out->count && out->count <= EXPLAINED_DEPTH;
}

static void explain(struct unwind_child *c, const struct record_unwind *r)
{
	const struct unwind_output *out = &c->output;
	const struct unwind_needs *needs = &out->needs;
	struct record_explained record = {
		.head = {.type = RECORD_EXPLAINED},
		.space = r->space, .depth = out->count, .words = needs->count,
		.stack_start = r->stack_start, .stack_len = r->len, .regs = needs->regs};

	if (!can_explain(out))
		return;
	record.head.size = (uint32_t)(sizeof(record) + explained_bytes(&record));
	buf_add(&c->out.data, &record, sizeof(record));
	for (unsigned reg = 0; reg < UNWIND_X86_64_REGS; reg++)
		buf_add(&c->out.data, &(uint64_t){needs->regs >> reg & 1 ? c->input.regs.value[reg] : 0}, 8);
	for (uint32_t i = 0; i < out->count; i++)
		buf_add(&c->out.data, &(uint64_t){out->ip[i] + (i && out->exact[i])}, 8);
	buf_add(&c->out.data, needs->words, needs->count * sizeof(*needs->words));
	if (c->out.data.len > PACKET_MAX / 2)
		flush(c);
}

/* A piece for each run of pages that are there. */
static size_t add_pieces(struct unwind_stack *pieces, const struct record_unwind *r, const char *bytes)
{
	size_t count = 0;

	if (!r->present) {
		pieces[0] = (struct unwind_stack){.start = r->stack_start, .bytes = bytes, .len = r->len};
		return 1;
	}
	for (size_t page = 0, at = 0; page < PAGES_MAX && at + PAGE <= r->len; page++) {
		uint64_t start = r->stack_start + page * PAGE;

		if (!(r->present >> page & 1))
			continue;
		if (!count || pieces[count - 1].start + pieces[count - 1].len != start)
			pieces[count++] = (struct unwind_stack){.start = start, .bytes = bytes + at};
		pieces[count - 1].len += PAGE;
		at += PAGE;
	}
	return count;
}

static void on_unwind(struct unwind_child *c, const struct record *record)
{
	const struct record_unwind *r = (const void *)record;
	size_t head = sizeof(c->input.regs);

	if (r->at % 8 || r->at > c->stacks_len || head > c->stacks_len - r->at ||
	    r->len > c->stacks_len - r->at - head)
		_exit(1);
	char *piece = c->stacks + r->at;
	c->input = (struct unwind_input){
		.arch = &unwind_arch_x86_64, .stacks = c->stack, .stack_count = add_pieces(c->stack, r, piece + head),
		.pieces = true, .explain = r->explain};
	memcpy(&c->input.regs, piece, head);
	unwind_spaces_unwind(c->spaces, r->space, &c->input, &c->output, flush, c);
	explicit_bzero(piece, head + r->len);
	add_answer(c, r->sequence);
	if (r->explain)
		explain(c, r);
}

typedef void record_handler(struct unwind_child *c, const struct record *record);

static record_handler *const handlers[RECORD_TYPES] = {
	[RECORD_SETUP] = on_setup,
	[RECORD_SPACE] = on_space,
	[RECORD_FORGET_SPACE] = on_forget_space,
	[RECORD_UNWIND] = on_unwind,
};

/* Registers and words of the stack that are left in this process's own memory. */
static __attribute__((noinline)) void clear_traces(struct unwind_child *c)
{
	char frames[4096]; /* more than unwinding takes */

	explicit_bzero(frames, sizeof(frames));
	explicit_bzero(&c->input, sizeof(c->input));
	explicit_bzero(&c->output.needs, sizeof(c->output.needs));
}

void unwind_child_run(int socket, int files, struct child_progress *progress)
{
	struct unwind_child *c = xcalloc(1, sizeof(*c));
	struct record_hello hello = {.head = {RECORD_HELLO, sizeof(hello)}, .pid = getpid()};

	c->socket = socket;
	c->in.data = c->out.data = (struct buf)BUF_INIT;
	c->tables = unwind_tables_new(files, progress);
	c->spaces = unwind_spaces_new(c->tables);
	mallopt(M_MMAP_THRESHOLD, MALLOC_MAPS); /* what is evicted goes back to the system */
	buf_add(&c->out.data, &hello, sizeof(hello));
	flush(c);
	while (packet_receive(socket, &c->in, true) == 0) {
		const struct record *record;
		size_t position = 0;

		while ((record = packet_next(&c->in, &position)))
			if (handlers[record->type])
				handlers[record->type](c, record);
		report_tables(c);
		flush(c);
		unwind_tables_rest(c->tables);
		clear_traces(c);
	}
	_exit(0);
}
