// SPDX-License-Identifier: BSD-2-Clause
#include "stack.h"

#include <string.h>

#include "mem.h"
#include "registers.h"

struct stack_reader {
	struct namer *namer;
};

struct stack_reader *stack_reader_new(struct namer *n)
{
	struct stack_reader *r = xcalloc(1, sizeof(*r));

	r->namer = n;
	return r;
}

void stack_reader_free(struct stack_reader *r)
{
	free(r);
}

void stack_reader_define(struct stack_reader *r, const struct space *s)
{
}

uint64_t stack_pointer(const struct raw_thread *t)
{
	return t->r.flags & THREAD_HAS_REGISTERS ? t->r.registers[REGISTER_SP] : 0;
}

void stack_reset(struct stack *stack, const char *ended)
{
	free(stack->user);
	free(stack->places);
	*stack = (struct stack){.ended = ended};
}

void stack_done(struct stack *stack)
{
	stack_reset(stack, NULL);
}

void stack_reader_read(struct stack_reader *r, struct stack *stack, const struct space *s, const struct raw_thread *t,
		 uint32_t cookie)
{
	if (t->r.flags & THREAD_KERNEL_THREAD) {
		stack_reset(stack, NULL);
		return;
	}
	stack_reset(stack, "registers are not known");
	if (!raw_is_still(t) || !s || !(t->r.flags & THREAD_HAS_REGISTERS))
		return;
	stack->ended = "only the innermost frame is read";
	stack->user = xcalloc(1, sizeof(*stack->user));
	stack->user[stack->user_count++] = t->r.registers[REGISTER_IP];
}

void stack_reader_finish(struct stack_reader *r)
{
}

void stack_place(struct stack *stack, struct namer *n, const struct space *s, const struct raw_thread *t)
{
	size_t count = stack->user_count + t->r.depth;

	stack->places = xcalloc(count, sizeof(*stack->places));
	for (size_t i = 0; i < stack->user_count; i++)
		stack->places[i] = namer_function(n, s, stack->user[i]);
	for (size_t i = 0; i < t->r.depth; i++)
		stack->places[stack->user_count + i] = namer_kernel(n, t->r.kernel[i] - (i > 0));
}

struct stack_names stack_names(const struct stack *stack, const struct namer *n, const struct raw_thread *t)
{
	struct stack_names names = {.user_count = stack->user_count, .kernel_count = t->r.depth};

	names.user = xcalloc(names.user_count, sizeof(*names.user));
	for (size_t i = 0; i < names.user_count; i++)
		names.user[i] = namer_name(n, stack->places[i]);
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
	free(names->kernel);
}
