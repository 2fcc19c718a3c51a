// SPDX-License-Identifier: BSD-2-Clause
#include "stacks.h"

#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "frames.h"
#include "images.h"
#include "mappings.h"
#include "marks.h"
#include "mem.h"
#include "pending.h"
#include "proc.h"
#include "python_code.h"
#include "python_process.h"
#include "python_stack.h"
#include "symbolizer.h"
#include "tasks.h"

struct stacks {
	struct symbolizer *symbolizer;
	struct frames *frames;
	struct marks *marks;
	struct python_processes *python;
	struct python_codes *python_codes;
	struct pendings *pendings; /* waiting to be unwound */
	uint32_t last_space;
	struct stacks_truth truth;
	void *arg; /* of stacks_options */
	stacks_variable *variable;
	void *variable_arg;
	uint32_t variables_due;
};

static uint32_t missing_root(struct stacks *st, enum unwind_status status, enum unwind_reason reason)
{
	_cleanup_free_ char *words = NULL;

	switch (status) {
	case UNWIND_COMPLETE:
		st->truth.complete++;
		return 0;
	case UNWIND_TRUNCATED:
		st->truth.truncated++;
		words = xasprintf("truncated: %s", unwind_reason_text(reason));
		return frames_marker(st->frames, words);
	default:
		st->truth.unreadable++;
		return frames_marker(st->frames, "user stack not readable");
	}
}

static uint32_t missing_python(struct stacks *st)
{
	st->truth.truncated++;
	return frames_marker(st->frames, "truncated: more Python frames than are kept");
}

static bool contains(const uint64_t *addresses, size_t depth, uint64_t address)
{
	for (size_t i = 0; i < depth; i++)
		if (addresses[i] == address)
			return true;
	return false;
}

/* Some runtimes have two stacks to a thread, and go over to the other one for a while. Frame pointers lead back: the kernel's
 * walk along them knows what follows the outermost known frame. Where the innermost functions keep no frame pointer, its first
 * step is past them already. NULL: it leads nowhere, or out of known code. */
static const uint64_t *walked_rest(const struct pending *p, const uint64_t *addresses, size_t depth, size_t *ret_count)
{
	const uint64_t *walked = p->frames + p->kernel_depth;
	uint32_t first = 1;

	for (uint32_t i = 0; i < p->walked_depth; i++)
		if (contains(addresses, depth, walked[i]))
			first = i + 1;
	for (uint32_t i = first; i < p->walked_depth; i++)
		if (!mappings_find(p->mappings, walked[i]))
			return NULL;
	if (first >= p->walked_depth)
		return NULL;
	*ret_count = p->walked_depth - first;
	return walked + first;
}

/* Addresses with what the walk knows of the rest; NULL: it knows nothing. */
static uint64_t *go_on(struct pending *p, const uint64_t *addresses, size_t *depth, enum unwind_status *status,
		       enum unwind_reason reason)
{
	bool elsewhere = reason == UNWIND_REASON_OTHER_STACK || reason == UNWIND_REASON_COPY_ENDED;
	const uint64_t *rest;
	uint64_t *all;
	size_t count;

	if (*status != UNWIND_TRUNCATED || !elsewhere)
		return NULL;
	p->process->walk = true; /* from now on */
	rest = walked_rest(p, addresses, *depth, &count);
	if (!rest)
		return NULL;
	all = xmalloc((*depth + count) * sizeof(*all));
	memcpy(all, addresses, *depth * sizeof(*all));
	memcpy(all + *depth, rest, count * sizeof(*all));
	*depth += count;
	if (p->walked_depth < STACK_DEPTH)
		*status = UNWIND_COMPLETE;
	return all;
}

static bool runs_python(const struct stacks *st, const struct native_stack *native)
{
	struct python_loop loop;

	return python_processes_loop(st->python, native->process, &loop) && native_stack_has(native, &loop);
}

static void unwound(void *arg, uint64_t cookie, const uint64_t *addresses, size_t depth,
		    enum unwind_status status, enum unwind_reason reason)
{
	struct stacks *st = arg;
	struct pending *p = pendings_take(st->pendings, cookie);
	uint32_t id;

	if (!p)
		return;
	_cleanup_free_ uint64_t *longer = go_on(p, addresses, &depth, &status, reason);
	if (longer)
		addresses = longer;
	if (status == UNWIND_COMPLETE && p->python && p->python->cut)
		id = missing_python(st);
	else
		id = missing_root(st, status, reason);
	struct native_stack native = {.process = p->process, .mappings = p->mappings, .addresses = addresses,
				      .depth = depth, .cut = status != UNWIND_COMPLETE, .now_ns = p->now_ns};
	if (p->python) {
		id = python_stack_push(p->python, st->frames, id, &native);
	} else {
		id = frames_user(st->frames, id, p->process, p->mappings, addresses, depth, p->now_ns);
		st->truth.without_python += !native.cut && runs_python(st, &native);
	}
	id = frames_kernel(st->frames, id, p->frames, p->kernel_depth);
	p->done(st->arg, p->data, id);
	pending_free(p);
}

/* Questions for variables; those for frames have smaller numbers, and Python's a larger one. */
enum { VARIABLE_QUESTION = 1 << 30 };

static void variable_named(struct stacks *st, uint32_t what, const struct symbol *symbols, size_t count)
{
	const struct symbol *s = count ? &symbols[count - 1] : NULL;

	st->variables_due--;
	if (st->variable)
		st->variable(st->variable_arg, what, s ? s->name : NULL, s ? s->start : 0);
}

static void named(void *arg, uint32_t frame, const struct symbol *symbols, size_t count)
{
	struct stacks *st = arg;

	if (frame & PYTHON_QUESTION)
		python_processes_answer(st->python, frame, symbols, count);
	else if (frame & VARIABLE_QUESTION)
		variable_named(st, frame & ~(uint32_t)VARIABLE_QUESTION, symbols, count);
	else if (frame & MARKS_QUESTION)
		marks_answer(st->marks, frame, symbols, count);
	else
		frames_named(st->frames, frame, symbols, count);
}

static void code(void *arg, uint32_t function, const void *bytes, size_t len)
{
	struct stacks *st = arg;

	frames_code(st->frames, function, bytes, len);
}

static void code_callees(void *arg, uint32_t function, const struct symbol *symbols, size_t count)
{
	struct stacks *st = arg;

	frames_callees(st->frames, function, symbols, count);
}

static void wait_loops(void *arg, uint32_t function, const struct wait_loop *loops, size_t count)
{
	struct stacks *st = arg;

	frames_wait_loops(st->frames, function, loops, count);
}

int stacks_new(struct store *s, const struct stacks_options *o, struct stacks **ret_stacks)
{
	struct stacks *st = xcalloc(1, sizeof(*st));
	int r;

	st->arg = o->arg;
	st->frames = frames_new(s);
	st->pendings = pendings_new();
	r = symbolizer_new(&(struct symbolizer_options){.source_lines = o->inlined, .inlined = o->inlined,
							.handler = named, .unwound = unwound, .code = code,
							.code_callees = code_callees, .wait_loops = wait_loops,
							.gathers = true, .remembers = true, .arg = st},
			   &st->symbolizer);
	if (r < 0) {
		stacks_free(st);
		return r;
	}
	frames_set_symbolizer(st->frames, st->symbolizer);
	st->marks = marks_new(frames_images(st->frames), st->symbolizer);
	st->python = python_processes_new(frames_images(st->frames), st->symbolizer);
	st->python_codes = python_codes_new();
	*ret_stacks = st;
	return 0;
}

void stacks_free(struct stacks *st)
{
	if (!st)
		return;
	pendings_free(st->pendings);
	marks_free(st->marks);
	python_processes_free(st->python);
	python_codes_free(st->python_codes);
	symbolizer_free(st->symbolizer);
	frames_free(st->frames);
	free(st);
}

int stacks_fd(const struct stacks *st)
{
	return symbolizer_fd(st->symbolizer);
}

int stacks_dispatch(struct stacks *st)
{
	int r = symbolizer_dispatch(st->symbolizer);

	if (r < 0)
		return r;
	frames_ask_again(st->frames);
	return r;
}

bool stacks_has_news(const struct stacks *st)
{
	return symbolizer_has_news(st->symbolizer);
}

void stacks_send(struct stacks *st)
{
	symbolizer_send(st->symbolizer);
}

void stacks_finish(struct stacks *st, uint64_t timeout_ns)
{
	uint64_t end = clock_mono_ns() + timeout_ns, now;

	while ((frames_unnamed(st->frames) || st->variables_due || frames_code_due(st->frames) || pendings_count(st->pendings)) &&
	       (now = clock_mono_ns()) < end) {
		symbolizer_flush(st->symbolizer, end - now);
		if (stacks_dispatch(st) < 0)
			break;
	}
	/* Who has not answered by now will not: what is known is taken. */
	for (struct pending *p; (p = pendings_take_any(st->pendings)); pending_free(p)) {
		uint32_t id = missing_root(st, UNWIND_UNREADABLE, UNWIND_REASON_NONE);

		p->done(st->arg, p->data, frames_kernel(st->frames, id, p->frames, p->kernel_depth));
	}
}

static enum image_kind kind_of(const struct process *p, const struct stacks_mapping *m)
{
	if (!strcmp(m->path, "[vdso]"))
		return IMAGE_VDSO;
	if (symbol_path_opens(m->path, m->inode, (pid_t)p->pid))
		return IMAGE_ELF;
	if (!strcmp(m->path, "[vsyscall]"))
		return IMAGE_UNKNOWN;
	return IMAGE_JIT;
}

/* "/usr/bin/x (deleted)" is still the file /usr/bin/x to the reader. */
static char *plain_path(const char *path)
{
	size_t len = strlen(path), suffix = strlen(" (deleted)");

	if (len > suffix && !strcmp(path + len - suffix, " (deleted)"))
		len -= suffix;
	return xstrndup(path, len);
}

void stacks_name_variables(struct stacks *st, stacks_variable *answer, void *arg)
{
	st->variable = answer;
	st->variable_arg = arg;
}

void stacks_ask_variable(struct stacks *st, const struct process *p, const struct stacks_mapping *m, uint64_t address,
			 uint32_t what)
{
	_cleanup_free_ char *path = plain_path(m->path);
	uint64_t offset = address - m->start + m->offset;
	int module = symbolizer_elf(st->symbolizer, &(struct symbol_mapping){
		.pid = (pid_t)p->pid, .start = m->start, .end = m->end, .offset = m->offset, .path = path,
		.dev_major = m->major, .dev_minor = m->minor, .inode = m->inode});

	if (module >= 0 && symbolizer_request(st->symbolizer, module, offset, VARIABLE_QUESTION | what) == 0)
		st->variables_due++;
}

static uint32_t module_of(struct stacks *st, const struct process *p, const struct stacks_mapping *m)
{
	_cleanup_free_ char *path = plain_path(m->path);
	struct image module = {.kind = kind_of(p, m), .path = path};

	switch (module.kind) {
	case IMAGE_ELF:
		module.major = m->major;
		module.minor = m->minor;
		module.inode = m->inode;
		break;
	case IMAGE_JIT:
		module.path = "[jit]";
		module.pid = p->pid;
		module.process = p->id;
		break;
	default:
		break;
	}
	return images_id(frames_images(st->frames), &module);
}

void stacks_map(struct stacks *st, struct process *p, const struct stacks_mapping *m)
{
	struct mapping mapping = {.start = m->start, .end = m->end, .offset = m->offset,
				  .module = module_of(st, p, m)};

	mappings_add(mappings_own(&p->mappings), &mapping);
	python_processes_mapped(st->python, p, &mapping);
	marks_mapped(st->marks, p, &mapping);
}

void stacks_find_marks(struct stacks *st, bool selected, marks_found *found, void *arg)
{
	marks_want(st->marks, selected, found, arg);
}

struct reading {
	struct stacks *stacks;
	struct process *process;
};

static void add_line(void *arg, const struct proc_mapping *m)
{
	struct reading *reading = arg;

	stacks_map(reading->stacks, reading->process, &(struct stacks_mapping){
		.start = m->start, .end = m->end, .offset = m->offset, .inode = m->inode, .major = m->major,
		.minor = m->minor, .path = m->path});
}

void stacks_read_mappings(struct stacks *st, struct process *p)
{
	if (p->mapped || p->flags & PROCESS_KERNEL)
		return;
	p->mapped = true;
	proc_mappings(p->pid, add_line, &(struct reading){.stacks = st, .process = p});
}

static void forget_space(void *arg, uint32_t space)
{
	symbolizer_forget_space(((struct stacks *)arg)->symbolizer, space);
}

/* The number under which the parser knows the process's mappings; 0 when it cannot. */
static uint32_t space_of(struct stacks *st, struct process *p)
{
	uint32_t space = mappings_space(p->mappings);
	size_t count = mappings_count(p->mappings);

	if (space || !count)
		return space;
	_cleanup_free_ struct symbol_space_mapping *list = xcalloc(count, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		const struct mapping *m = mappings_get(p->mappings, i);
		enum image_kind kind = images_get(frames_images(st->frames), m->module).kind;
		int module = kind == IMAGE_ELF || kind == IMAGE_VDSO ? frames_introduce(st->frames, m->module, p, m) : -1;

		list[i] = (struct symbol_space_mapping){.start = m->start, .end = m->end, .offset = m->offset,
							.module = module < 0 ? -1 : module};
	}
	space = ++st->last_space;
	if (symbolizer_space(st->symbolizer, space, list, count) < 0)
		return 0;
	mappings_set_space(p->mappings, space, forget_space, st);
	return space;
}

static struct unwind_regs registers(const struct user_registers *from)
{
	return (struct unwind_regs){
		.value = {[UNWIND_RIP] = from->ip, [UNWIND_RSP] = from->sp, [UNWIND_RBP] = from->bp, [UNWIND_RBX] = from->bx,
			  [UNWIND_R12] = from->r12, [UNWIND_R13] = from->r13, [UNWIND_R14] = from->r14,
			  [UNWIND_R15] = from->r15, [UNWIND_RAX] = from->ax, [UNWIND_RCX] = from->cx, [UNWIND_RDX] = from->dx,
			  [UNWIND_RSI] = from->si, [UNWIND_RDI] = from->di, [UNWIND_R8] = from->r8, [UNWIND_R9] = from->r9,
			  [UNWIND_R10] = from->r10, [UNWIND_R11] = from->r11},
		.known = (1ull << UNWIND_X86_64_REGS) - 1,
	};
}

/* False: nobody can unwind it now. */
static bool ask_unwinder(struct stacks *st, struct process *p, const struct stack_capture *capture, uint64_t now_ns,
			 struct python_stack **python,
			 stacks_done *done, const void *data, size_t data_len)
{
	struct unwind_regs regs = registers(&capture->registers);
	const struct stack_copy stack = {.start = capture->stack_start, .bytes = capture->stack,
					 .len = (size_t)capture->pages * PAGE_BYTES, .present = stack_has_gaps(capture) ? capture->present : 0};
	uint32_t space = space_of(st, p);
	uint64_t cookie;

	if (!space || pendings_full(st->pendings) || stack.len > sizeof(capture->stack))
		return false;
	cookie = pendings_add(st->pendings, p, capture, now_ns, *python, done, data, data_len);
	*python = NULL;
	if (symbolizer_unwind(st->symbolizer, space, &regs, &stack, cookie) == 0)
		return true;
	struct pending *pending = pendings_take(st->pendings, cookie);
	*python = pending->python;
	pending->python = NULL;
	pending_free(pending);
	return false;
}

/* The Python frames of the capture; NULL: none. Code is what it is now: later its address may mean another. */
static struct python_stack *python_stack(struct stacks *st, struct process *p, const struct stack_capture *capture)
{
	const uint64_t *packed = capture->frames + capture->kernel_depth;
	uint32_t depth = capture->python_depth;
	struct python_stack *ps;
	struct python_loop loop;

	if (!depth || depth > PYTHON_DEPTH || !python_processes_loop(st->python, p, &loop))
		return NULL;
	ps = xmalloc(sizeof(*ps) + depth * sizeof(ps->frames[0]));
	*ps = (struct python_stack){.loop = loop, .cut = capture->python_cut, .depth = depth};
	for (uint32_t i = 0; i < depth; i++) {
		ps->frames[i] = (struct python_frame){.entry = packed[i] & PYTHON_FRAME_ENTRY};
		if (packed[i] >> PYTHON_FRAME_CODE_SHIFT) {
			uint32_t line;
			struct interpreted function = python_codes_find(st->python_codes, p, packed[i], &line);

			ps->frames[i].frame = frames_interpreted(st->frames, &function, line);
		}
	}
	return ps;
}

void stacks_resolve(struct stacks *st, struct process *p, const struct stack_capture *capture, uint64_t now_ns,
		    stacks_done *done, const void *data, size_t data_len)
{
	size_t kernel = capture->kernel_depth, user = capture->user_depth;
	_cleanup_free_ struct python_stack *python = NULL;
	uint32_t id = 0;

	if (user || capture->pages || capture->python_depth)
		stacks_read_mappings(st, p);
	python_processes_check(st->python, p);
	python = python_stack(st, p, capture);
	if (capture->pages && ask_unwinder(st, p, capture, now_ns, &python, done, data, data_len))
		return;
	if (capture->pages || python)
		id = missing_root(st, UNWIND_UNREADABLE, UNWIND_REASON_NONE);
	st->truth.walked += user > 0;
	id = frames_user(st->frames, id, p, p->mappings, capture->frames + kernel, user, now_ns);
	if (python)
		id = python_stack_push(python, st->frames, id, &(struct native_stack){.cut = true});
	done(st->arg, data, frames_kernel(st->frames, id, capture->frames, kernel));
}

struct stacks_truth stacks_truth(const struct stacks *st)
{
	return st->truth;
}

void stacks_forget(struct stacks *st, struct process *p)
{
	python_processes_forget(st->python, p);
	symbolizer_forget_process(st->symbolizer, (pid_t)p->pid);
}

void stacks_set_kernel(struct stacks *st, const struct kernel_text *text)
{
	frames_set_kernel(st->frames, text);
}

void stacks_set_python(struct stacks *st, int map_fd)
{
	python_processes_set_map(st->python, map_fd);
}

void stacks_python_code(struct stacks *st, struct process *p, const struct python_code_record *r)
{
	python_codes_add(st->python_codes, p, r, python_processes_lines_format(st->python, p));
}

bool stacks_python_process(const struct stacks *st, const struct process *p, struct python_process *ret)
{
	return python_processes_get(st->python, p, ret);
}

bool stacks_python_due(const struct stacks *st)
{
	return python_processes_due(st->python);
}

void stacks_python_end(struct stacks *st, struct process *p)
{
	python_processes_forget(st->python, p);
}

void stacks_forget_files(struct stacks *st, const struct tasks *tasks)
{
	struct images *images = frames_images(st->frames);
	const struct mappings *last = NULL; /* of many threads of one process, one after the other */

	if (!images_many(images))
		return;
	for (uint32_t i = 0; i < tasks_count(tasks); i++) {
		const struct mappings *m = tasks_get(tasks, i)->process->mappings;

		if (m == last)
			continue;
		last = m;
		for (size_t k = 0; k < mappings_count(m); k++)
			images_use(images, mappings_get(m, k)->module);
	}
	marks_use_images(st->marks);
	frames_forget_images(st->frames);
}

uint32_t stacks_unnamed(const struct stacks *st)
{
	return frames_unnamed(st->frames);
}

void stacks_sampled(struct stacks *st, uint32_t stack)
{
	frames_sampled(st->frames, stack);
}
