// SPDX-License-Identifier: BSD-2-Clause
#include "places.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "text.h"

static bool is_one_of(const char *text, const char *const *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!fnmatch(patterns[i], text, 0))
			return true;
	return false;
}

/* What is known of a function, as a note: bits, and a kind of lock above them. Patterns are slow. */
enum { COMMON_KNOWN = 1, COMMON = 2, KIND_KNOWN = 4, KIND_SHIFT = 3 };

static bool has_common_name(const struct stack_frame *f)
{
	static const char *const modules[] = {"*/libc.so*", "*/libc-*", "*/libpthread*", "*/ld-linux*", "*/libstdc++*", "*/libjvm.so",
					      "*/threading.py", "*/multiprocessing/*"};
	static const char *const names[] = {
		"*[uU]nlock*", "*mutex*lock*", "*lll_lock*", "*rwlock*lock*", "*futex_wa*",
		/* of a language's runtime */
		"runtime.*", "sync.*", "std::*", "<std::*", "core::*", "<core::*",
	};

	return f->kind == CODE_KERNEL || f->kind == CODE_VDSO || is_one_of(f->module, modules, ARRAY_SIZE(modules)) ||
	       is_one_of(f->name, names, ARRAY_SIZE(names));
}

/* Where every program waits: it says nothing of who waits. */
static bool is_common(struct stack_view *v, const struct stack_frame *f)
{
	uint8_t *note = stack_view_note(v, f->function);

	if (!(*note & COMMON_KNOWN))
		*note |= COMMON_KNOWN | (has_common_name(f) ? COMMON : 0);
	return *note & COMMON;
}

const struct stack_frame *stack_speaker(struct stack_view *v, uint32_t stack)
{
	size_t depth;
	const struct stack_frame *const *frames = stack_view_walk(v, stack, &depth), *own = NULL;

	/* The outermost two or three are where programs and threads begin. What is interpreted is the program's rather than its interpreter. */
	for (size_t i = depth; i-- > 0;) {
		if (is_common(v, frames[i]) || !strcmp(frames[i]->name, "_start"))
			continue;
		if (frames[i]->kind == CODE_PYTHON)
			return frames[i];
		own = own ? own : frames[i];
	}
	return own ? own : depth ? frames[depth - 1] : NULL;
}

const char *const lock_kind_names[] = {"", "lock", "condition", "semaphore", "other"};

static enum lock_kind kind_of_name(const char *name)
{
	static const struct {
		const char *pattern;
		enum lock_kind kind;
	} names[] = {
		{"*cond_*wait*", LOCK_CONDITION}, {"*sem_*wait*", LOCK_SEMAPHORE}, {"*barrier_wait*", LOCK_OTHER}, {"*join*", LOCK_OTHER},
		{"*mutex*lock*", LOCK_LOCK}, {"*Mutex*[lL]ock*", LOCK_LOCK}, {"*rwlock*lock*", LOCK_LOCK}, {"*lll_lock*", LOCK_LOCK},
		{"*ObjectMonitor::enter*", LOCK_LOCK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!fnmatch(names[i].pattern, name, 0))
			return names[i].kind;
	return LOCK_NONE;
}

static enum lock_kind kind_of_function(struct stack_view *v, const struct stack_frame *f)
{
	uint8_t *note = stack_view_note(v, f->function);

	if (!(*note & KIND_KNOWN))
		*note |= (uint8_t)(KIND_KNOWN | kind_of_name(f->name) << KIND_SHIFT);
	return *note >> KIND_SHIFT;
}

static enum lock_kind lock_kind_of(struct stack_view *v, uint32_t stack)
{
	size_t depth;
	const struct stack_frame *const *frames = stack_view_walk(v, stack, &depth);
	enum lock_kind kind = LOCK_NONE;

	for (size_t i = depth; i-- > 0 && kind == LOCK_NONE;)
		if (frames[i]->kind != CODE_KERNEL)
			kind = kind_of_function(v, frames[i]);
	return kind == LOCK_NONE && depth ? LOCK_OTHER : kind;
}

struct places {
	struct stack_view *view;
	struct place *items; /* by the stack's place in the view */
};

struct places *places_new(struct stack_view *v)
{
	struct places *p = xcalloc(1, sizeof(*p));

	p->view = v;
	p->items = xcalloc(stack_view_places(v), sizeof(*p->items));
	return p;
}

void places_free(struct places *p)
{
	if (!p)
		return;
	free(p->items);
	free(p);
}

const struct place *places_of(struct places *p, uint32_t stack)
{
	struct place *place = &p->items[stack_view_place(p->view, stack)];

	if (!place->known)
		*place = (struct place){stack_speaker(p->view, stack), lock_kind_of(p->view, stack), true};
	return place;
}

static void add_frame(struct lines *l, const struct stack_frame *f, unsigned indent)
{
	enum style style = f->kind == CODE_KERNEL ? STYLE_DIM : STYLE_NORMAL;

	if (f->file && f->line)
		lines_add(l, style, indent, "%s  %s:%u", f->name, f->file, f->line);
	else
		lines_add(l, style, indent, "%s%s", f->name, f->kind == CODE_KERNEL ? " [kernel]" : "");
}

/* The system call, or what else led into the kernel. */
static const struct stack_frame *kernel_entry(const struct stack_frame *const *frames, size_t from, size_t depth)
{
	static const char *const common[] = {"entry_SYSCALL*", "do_syscall_64", "x64_sys_call", "el0*", "asm_*", "ret_from_fork*"};

	while (from + 1 < depth && is_one_of(frames[from]->name, common, ARRAY_SIZE(common)))
		from++;
	return frames[from];
}

static void add_stack(struct lines *l, struct stack_view *v, uint32_t stack, unsigned indent, unsigned most, bool wait)
{
	size_t depth, user = 0;
	const struct stack_frame *const *frames = stack_view_walk(v, stack, &depth);

	if (!depth)
		lines_add(l, STYLE_DIM, indent, "the stack could not be read");
	while (user < depth && frames[user]->kind != CODE_KERNEL)
		user++;
	/* A thread of the kernel has nothing else. */
	if (wait && user && user < depth) {
		add_frame(l, kernel_entry(frames, user, depth), indent);
		depth = user;
	}
	for (size_t i = depth; i-- > 0 && depth - i <= most;)
		add_frame(l, frames[i], indent);
}

void lines_add_stack(struct lines *l, struct stack_view *v, uint32_t stack, unsigned indent, unsigned most)
{
	add_stack(l, v, stack, indent, most, false);
}

void lines_add_wait(struct lines *l, struct stack_view *v, uint32_t stack, unsigned indent, unsigned most)
{
	add_stack(l, v, stack, indent, most, true);
}

bool is_held_up_metric(const char *name)
{
	static const char *const idle[] = {"wait.sleep", "wait.poll", "wait.child", "wait.signal", "wait.idle"};

	if (!starts_with(name, "wait.") || !strcmp(name, "wait.interval"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++)
		if (!strcmp(name, idle[i]))
			return false;
	return true;
}
