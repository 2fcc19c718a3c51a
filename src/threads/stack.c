// SPDX-License-Identifier: BSD-2-Clause
#include "stack.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "registers.h"

#define MOST_TIME (20 * NS_PER_S)

enum {
	MOST_BYTES = 256 << 10, /* of one stack */
	RED_ZONE = 128,         /* below the stack pointer, still the leaf function's */
};

struct answer {
	uint64_t *addresses;
	size_t count;
	const char *ended;
};

struct stack_reader {
	struct namer *namer;
	struct answer *answers;
	size_t count, capacity, due;
	unsigned char bytes[MOST_BYTES]; /* cleared after each use */
};

static void unwound(void *arg, uint64_t cookie, const uint64_t *addresses, size_t depth,
		    enum unwind_status status, enum unwind_reason reason)
{
	struct stack_reader *r = arg;
	struct answer *a = &r->answers[cookie];

	r->due--;
	a->ended = status == UNWIND_COMPLETE    ? NULL
		   : status == UNWIND_TRUNCATED ? unwind_reason_text(reason)
						: "it cannot be read";
	a->addresses = xcalloc(depth, sizeof(*a->addresses));
	/* A return address may be that of the next function: the call lies before it. */
	for (size_t i = 0; i < depth; i++)
		a->addresses[i] = addresses[i] - (i > 0);
	a->count = depth;
}

int stack_reader_new(struct arena *memory, struct stack_reader **ret)
{
	_cleanup_(stack_reader_freep) struct stack_reader *reader = xcalloc(1, sizeof(*reader));
	int r = namer_new(memory, unwound, reader, &reader->namer);

	if (r < 0)
		return r;
	*ret = reader;
	reader = NULL;
	return 0;
}

void stack_reader_free(struct stack_reader *r)
{
	if (!r)
		return;
	namer_free(r->namer);
	for (size_t i = 0; i < r->count; i++)
		free(r->answers[i].addresses);
	free(r->answers);
	free(r);
}

struct namer *stack_reader_namer(struct stack_reader *r)
{
	return r->namer;
}

void stack_reader_define(struct stack_reader *r, const struct space *s)
{
	_cleanup_free_ struct symbol_space_mapping *mappings = xcalloc(s->count, sizeof(*mappings));
	size_t count = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct space_mapping *m = &s->items[i];
		int module;

		if (!m->executable)
			continue;
		module = namer_module(r->namer, s, m);
		mappings[count++] = (struct symbol_space_mapping){
			.start = m->start,
			.end = m->end,
			.offset = m->offset,
			.module = module < 0 ? SYMBOL_CODE_GENERATED : module};
	}
	symbolizer_space(namer_symbolizer(r->namer), s->pid, mappings, count);
}

uint64_t stack_pointer(const struct raw_thread *t)
{
	return t->r.flags & THREAD_HAS_REGISTERS ? t->r.registers[REGISTER_SP] : 0;
}

void stack_reset(struct stack *stack, const char *ended)
{
	free(stack->places);
	*stack = (struct stack){.ended = ended};
}

void stack_done(struct stack *stack)
{
	stack_reset(stack, NULL);
}

/* Registers in pt_regs' order, by their numbers in DWARF. A system call leaves its mark in rax, rcx
 * and r11. */
static struct unwind_regs registers_of(const struct raw_thread *t)
{
	static const struct {
		unsigned char dwarf, place;
		bool kept;
	} table[] = {
#if defined(__aarch64__)
		{UNWIND_RIP, REGISTER_IP, true}, {UNWIND_RSP, REGISTER_SP, true}, {UNWIND_RBP, REGISTER_FP, true},
#else
		{UNWIND_RIP, REGISTER_IP, true},   {UNWIND_RSP, REGISTER_SP, true},
		{UNWIND_RBP, REGISTER_BP, true},   {UNWIND_RBX, REGISTER_BX, true},
		{UNWIND_R12, REGISTER_R12, true},  {UNWIND_R13, REGISTER_R13, true},
		{UNWIND_R14, REGISTER_R14, true},  {UNWIND_R15, REGISTER_R15, true},
		{UNWIND_RDI, REGISTER_DI, true},   {UNWIND_RSI, REGISTER_SI, true},
		{UNWIND_RDX, REGISTER_DX, true},   {UNWIND_R8, REGISTER_R8, true},
		{UNWIND_R9, REGISTER_R9, true},    {UNWIND_R10, REGISTER_R10, true},
		{UNWIND_RAX, REGISTER_AX, false},  {UNWIND_RCX, REGISTER_CX, false},
		{UNWIND_R11, REGISTER_R11, false},
#endif
	};
	bool in_call = registers_call(t->r.registers) >= 0;
	struct unwind_regs regs = {0};

	for (size_t i = 0; i < (t->few_registers ? 2 : ARRAY_SIZE(table)); i++)
		if (table[i].kept || !in_call)
			unwind_regs_set(&regs, table[i].dwarf, t->r.registers[table[i].place]);
	return regs;
}

static size_t copy_stack(struct stack_reader *r, const struct space *s, uint64_t start, uint64_t sp)
{
	const struct space_mapping *m = space_find(s, sp);
	size_t len = MOST_BYTES;

	if (!m)
		return 0;
	if (m->end - start < len)
		len = m->end - start;
	return space_read(s, start, r->bytes, len);
}

static bool request(struct stack_reader *r, const struct space *s, const struct unwind_regs *regs,
		    uint64_t start, size_t len)
{
	struct symbolizer *symbolizer = namer_symbolizer(r->namer);
	const struct stack_copy stack = {.start = start, .bytes = r->bytes, .len = len};
	uint64_t end = clock_mono_ns() + MOST_TIME;
	int result;

	r->due++; /* the answer may come while the queue is emptied */
	while ((result = symbolizer_unwind(symbolizer, s->pid, regs, &stack, r->count - 1)) == -EAGAIN &&
	       clock_mono_ns() < end)
		symbolizer_flush(symbolizer, NS_PER_S);
	r->due -= result < 0;
	return result >= 0;
}

void stack_reader_read(struct stack_reader *r, struct stack *stack, const struct space *s,
		       const struct raw_thread *t)
{
	uint64_t sp = stack_pointer(t), start = sp - RED_ZONE;
	struct unwind_regs regs;
	size_t len;

	stack_reset(stack,
		    t->r.flags & THREAD_KERNEL_THREAD ? NULL : "its registers are not known");
	if (!raw_is_still(t) || !s || sp <= RED_ZONE)
		return;
	stack->ended = "its memory cannot be read";
	len = copy_stack(r, s, start, sp);
	if (len) {
		regs = registers_of(t);
		GROW(r->answers, r->count, r->capacity);
		r->answers[r->count++] = (struct answer){.ended = "the unwinder did not answer"};
		if (request(r, s, &regs, start, len))
			stack->answer = (uint32_t)r->count;
		explicit_bzero(r->bytes, len);
	}
}

void stack_reader_finish(struct stack_reader *r)
{
	uint64_t end = clock_mono_ns() + MOST_TIME, now;

	while (r->due && (now = clock_mono_ns()) < end)
		symbolizer_flush(namer_symbolizer(r->namer), end - now);
}

void stack_take(struct stack *stack, const struct stack_reader *r)
{
	const struct answer *a = stack->answer ? &r->answers[stack->answer - 1] : NULL;

	if (!a)
		return;
	stack->user = a->addresses;
	stack->user_count = a->count;
	stack->ended = a->ended;
}

void stack_place(struct stack *stack, struct namer *n, const struct space *s,
		 const struct raw_thread *t)
{
	size_t count = stack->user_count + t->r.depth;

	stack->places = xcalloc(count, sizeof(*stack->places));
	for (size_t i = 0; i < stack->user_count; i++)
		stack->places[i] = namer_function(n, s, stack->user[i]);
	for (size_t i = 0; i < t->r.depth; i++)
		stack->places[stack->user_count + i] = namer_kernel(n, t->r.kernel[i] - (i > 0));
}

struct naming {
	const struct stack *stack;
	const struct namer *namer;
	struct stack_names *names;
	size_t at; /* from the root, which is last, to the leaf */
};

static void name_merged(void *arg, bool python, size_t i)
{
	struct naming *x = arg;
	const struct python_trace *t = x->stack->python;

	x->names->user[--x->at] = python ? t->names[i] : namer_name(x->namer, x->stack->places[i]);
	x->names->sources[x->at] = python ? t->sources[i] : NULL;
}

static void name_python(const struct stack *stack, const struct namer *n, struct stack_names *names)
{
	const struct python_trace *t = stack->python;
	size_t most = stack->user_count + t->depth;
	_cleanup_free_ enum python_place_of *places = xcalloc(stack->user_count, sizeof(*places));
	struct naming x = {.stack = stack, .namer = n, .names = names, .at = most};

	names->user = xcalloc(most, sizeof(*names->user));
	names->sources = xcalloc(most, sizeof(*names->sources));
	for (size_t i = 0; i < stack->user_count; i++)
		places[i] = python_place(t->python, stack->user[i]);
	python_merge(&(struct python_merge){.python = t->frames, .python_depth = t->depth, .python_cut = t->cut,
					    .native = places, .native_depth = stack->user_count, .native_cut = stack->ended},
		     name_merged, &x);
	names->user_count = most - x.at;
	memmove(names->user, names->user + x.at, names->user_count * sizeof(*names->user));
	memmove(names->sources, names->sources + x.at, names->user_count * sizeof(*names->sources));
}

static void name_native(const struct stack *stack, const struct namer *n, struct stack_names *names)
{
	names->user = xcalloc(stack->user_count, sizeof(*names->user));
	names->user_count = stack->user_count;
	for (size_t i = 0; i < names->user_count; i++)
		names->user[i] = namer_name(n, stack->places[i]);
}

struct stack_names stack_names(const struct stack *stack, const struct namer *n,
			       const struct raw_thread *t)
{
	struct stack_names names = {.kernel_count = t->r.depth};

	(stack->python ? name_python : name_native)(stack, n, &names);
	/* Without BPF, the one function that the kernel tells. */
	bool wchan = !t->r.depth && *t->wchan;
	names.kernel = xcalloc(names.kernel_count + wchan, sizeof(*names.kernel));
	for (size_t i = 0; i < names.kernel_count; i++)
		names.kernel[i] = namer_name(n, stack->places[stack->user_count + i]);
	if (wchan)
		names.kernel[names.kernel_count++] = t->wchan;
	return names;
}

void stack_names_done(const struct stack_names *names)
{
	free(names->user);
	free(names->sources);
	free(names->kernel);
}
