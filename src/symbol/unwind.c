// SPDX-License-Identifier: BSD-2-Clause
#include "unwind.h"

#include <errno.h>
#include <string.h>

#include "search.h"
#include "unwind_expr.h"

#define STACK_USUAL (8u << 20) /* bytes; a stack's default limit */

/* Where a register's value is from: nothing but what the walk has gone by already, a register at its start, or a word of the stack.
 * Most of what a function has saved is never looked at. */
struct origins {
	uint64_t of[UNWIND_REGS]; /* GIVEN, START + register, or an address */
};

enum { GIVEN, START, LAST_START = START + UNWIND_REGS };

struct walker {
	const struct unwind_input *in;
	struct unwind_output *out;
	struct unwind_regs regs;
	struct origins origins;
	const struct unwind_mapping *here; /* of the current frame's code */
	uint64_t refused; /* where the last read failed */
	bool exact;       /* the current frame was executing, not calling */
	bool signal;      /* the current frame is a signal's trampoline */
};

/* What a step to the caller came to. */
enum step { STEP_DONE, STEP_OUTERMOST, STEP_FAILED };

const char *unwind_reason_text(enum unwind_reason reason)
{
	static const char *const text[UNWIND_REASONS] = {
		[UNWIND_REASON_NONE] = "complete",
		[UNWIND_REASON_COPY_ENDED] = "the stack is longer than its copy",
		[UNWIND_REASON_OTHER_STACK] = "the stack goes on elsewhere",
		[UNWIND_REASON_NO_MAPPING] = "code outside every known mapping",
		[UNWIND_REASON_NO_TABLE] = "no unwind table for a module yet",
		[UNWIND_REASON_NO_ROW] = "no unwind information for a function",
		[UNWIND_REASON_NO_FP] = "generated code without frame pointer",
		[UNWIND_REASON_DEPTH] = "too many frames",
		[UNWIND_REASON_BAD_CFA] = "impossible frame address",
		[UNWIND_REASON_UNSUPPORTED] = "unwind information that is not understood",
	};

	return reason < UNWIND_REASONS ? text[reason] : "unknown";
}

static bool read_word(void *arg, uint64_t address, uint64_t *ret_value)
{
	struct walker *w = arg;

	for (size_t i = 0; i < w->in->stack_count; i++) {
		const struct unwind_stack *s = &w->in->stacks[i];
		uint64_t at = address - s->start;

		if (s->len >= 8 && at <= s->len - 8) {
			memcpy(ret_value, (const char *)s->bytes + at, 8);
			return true;
		}
	}
	w->refused = address;
	return false;
}

static void need_word(struct walker *w, uint64_t address, uint64_t value)
{
	struct unwind_needs *n = &w->out->needs;

	if (!n->known)
		return;
	if (n->count == UNWIND_NEEDS_MAX)
		n->known = false;
	else
		n->words[n->count++] = (struct unwind_word){address, value};
}

/* The walk goes by this register's value. */
static void need(struct walker *w, unsigned reg)
{
	uint64_t from = w->origins.of[reg];

	if (from > LAST_START)
		need_word(w, from, w->regs.value[reg]);
	else if (from >= START)
		w->out->needs.regs |= 1ull << (from - START);
	w->origins.of[reg] = GIVEN;
}

/* A word that the walk goes by. */
static bool read_needed(struct walker *w, uint64_t address, uint64_t *ret_value)
{
	if (!read_word(w, address, ret_value))
		return false;
	need_word(w, address, *ret_value);
	return true;
}

static const struct unwind_stack *stack_of(const struct unwind_input *in, uint64_t address)
{
	for (size_t i = 0; i < in->stack_count; i++)
		if (address - in->stacks[i].start < in->stacks[i].len)
			return &in->stacks[i];
	return NULL;
}

/* The address, which is lower, is on sp's own stack: no frame pointer leads there. */
static bool is_below(const struct unwind_input *in, uint64_t address, uint64_t sp)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (size_t i = 0; i < in->stack_count; i++) {
		const struct unwind_stack *s = &in->stacks[i];

		low = s->start < low ? s->start : low;
		high = s->start + s->len > high ? s->start + s->len : high;
	}
	return in->pieces ? address >= low && sp <= high : stack_of(in, address) == stack_of(in, sp);
}

static const struct unwind_mapping *find_mapping(const struct walker *w, uint64_t address)
{
	const struct unwind_mapping *m = w->in->mappings;
	size_t count;

	if (w->here && address >= w->here->start && address < w->here->end)
		return w->here;
	count = COUNT_UP_TO(m, w->in->mapping_count, .start, address);
	return count && address < m[count - 1].end ? &m[count - 1] : NULL;
}

static bool known(const struct unwind_regs *r, unsigned reg)
{
	return r->known >> reg & 1;
}

static enum step stop(struct walker *w, enum unwind_reason reason)
{
	w->out->status = UNWIND_TRUNCATED;
	w->out->reason = reason;
	return STEP_FAILED;
}

/* A read that the walk depends on failed. Not far behind copied bytes it is the same stack, as far
 * as one can know. */
static enum step stop_unread(struct walker *w)
{
	enum unwind_reason reason = UNWIND_REASON_OTHER_STACK;

	for (size_t i = 0; i < w->in->stack_count; i++) {
		const struct unwind_stack *s = &w->in->stacks[i];

		if (w->refused >= s->start && w->refused - s->start - s->len + 8 < STACK_USUAL)
			reason = UNWIND_REASON_COPY_ENDED;
	}
	w->out->missing = w->refused;
	return stop(w, reason);
}

static int evaluate(struct walker *w, int32_t number, const uint64_t *cfa, uint64_t *ret_value)
{
	size_t len;
	const uint8_t *code = unwind_table_expr(w->here->table, number, &len);

	w->refused = 0;
	w->out->needs.known = false; /* registers and words in any number */
	if (!len)
		return -EINVAL; /* a damaged cache names one that is not there */
	return unwind_expr_eval(code, len, &w->regs, cfa, read_word, w, ret_value);
}

static enum step stop_expression(struct walker *w)
{
	return w->refused ? stop_unread(w) : stop(w, UNWIND_REASON_UNSUPPORTED);
}

/* The caller's value of one register, and where that is from; false when it cannot be known. */
static bool restore(struct walker *w, const struct unwind_save *s, uint64_t cfa, uint64_t *ret_value, uint64_t *ret_origin)
{
	uint64_t at = cfa + (uint64_t)(int64_t)s->value;

	*ret_origin = GIVEN;
	switch ((enum unwind_how)s->how) {
	case UNWIND_HOW_AT_CFA:
		/* Below the copied bytes lies what an epilogue has already taken back. */
		if (w->exact && at < w->regs.value[w->in->arch->sp] && s->reg != w->in->arch->ip &&
		    !stack_of(w->in, at)) {
			*ret_value = w->regs.value[s->reg];
			*ret_origin = w->origins.of[s->reg];
			return known(&w->regs, s->reg);
		}
		*ret_origin = at;
		return read_word(w, at, ret_value);
	case UNWIND_HOW_IS_CFA:
		*ret_value = at;
		return true;
	case UNWIND_HOW_REGISTER:
		*ret_value = w->regs.value[s->value];
		*ret_origin = w->origins.of[s->value];
		return known(&w->regs, (unsigned)s->value);
	case UNWIND_HOW_AT_EXPRESSION:
		return !evaluate(w, s->value, &cfa, &at) && read_word(w, at, ret_value);
	case UNWIND_HOW_IS_EXPRESSION:
		return !evaluate(w, s->value, &cfa, ret_value);
	default: /* undefined */
		return false;
	}
}

static enum step find_cfa(struct walker *w, const struct unwind_rule *rule, uint64_t *ret_cfa)
{
	uint64_t sp = w->regs.value[w->in->arch->sp];

	switch ((enum unwind_cfa)rule->cfa) {
	case UNWIND_CFA_REGISTER:
		if (!known(&w->regs, rule->cfa_reg))
			return stop(w, UNWIND_REASON_BAD_CFA);
		need(w, rule->cfa_reg);
		*ret_cfa = w->regs.value[rule->cfa_reg] + (uint64_t)(int64_t)rule->cfa_value;
		break;
	case UNWIND_CFA_EXPRESSION:
		if (evaluate(w, rule->cfa_value, NULL, ret_cfa))
			return stop_expression(w);
		break;
	default:
		return stop(w, UNWIND_REASON_UNSUPPORTED);
	}
	/* Only a signal's frame may lead to another stack; and what executes may have popped its return address, as vfork() does. */
	if (!(rule->flags & UNWIND_RULE_SIGNAL) && (*ret_cfa < sp || (*ret_cfa == sp && !w->exact)))
		return stop(w, UNWIND_REASON_BAD_CFA);
	return STEP_DONE;
}

static enum step step_by_rule(struct walker *w, const struct unwind_rule *rule)
{
	const struct unwind_arch *arch = w->in->arch;
	struct unwind_regs caller = w->regs;
	struct origins origins;
	bool returns = false;
	enum step r;
	uint64_t cfa;

	r = find_cfa(w, rule, &cfa);
	if (r != STEP_DONE)
		return r;
	origins = w->origins;
	w->signal = rule->flags & UNWIND_RULE_SIGNAL;
	if (!w->signal)
		caller.known &= arch->preserved;
	unwind_regs_set(&caller, arch->sp, cfa);
	origins.of[arch->sp] = GIVEN;
	for (unsigned i = 0; i < rule->saves; i++) {
		const struct unwind_save *s = &rule->save[i];
		uint64_t value;

		if (restore(w, s, cfa, &value, &origins.of[s->reg])) {
			unwind_regs_set(&caller, s->reg, value);
			returns |= s->reg == arch->ip;
		} else if (s->reg != arch->ip) {
			caller.known &= ~(1ull << s->reg);
		} else if (s->how == UNWIND_HOW_UNDEFINED) {
			return STEP_OUTERMOST;
		} else {
			return s->how == UNWIND_HOW_AT_CFA ? stop_unread(w) : stop_expression(w);
		}
	}
	if (!returns)
		return stop(w, UNWIND_REASON_UNSUPPORTED);
	w->regs = caller;
	w->origins = origins;
	need(w, arch->ip);
	return STEP_DONE;
}

static bool has_rows(const struct unwind_mapping *m)
{
	return m->code == UNWIND_CODE_MODULE && m->table && unwind_table_info(m->table)->rows;
}

/* Whether a value can be the return address of a call. */
static bool is_return(const struct walker *w, uint64_t value)
{
	return find_mapping(w, value - 1);
}

/* The same, and into a function that frame information tells of. */
static bool is_sure_return(const struct walker *w, uint64_t value)
{
	const struct unwind_mapping *m = find_mapping(w, value - 1);

	return m && has_rows(m) && unwind_table_find(m->table, value - 1 - m->bias);
}

static enum step leave(struct walker *w, uint64_t ip, uint64_t sp, uint64_t fp)
{
	const struct unwind_arch *arch = w->in->arch;

	w->regs.known = 0;
	unwind_regs_set(&w->regs, arch->ip, ip);
	unwind_regs_set(&w->regs, arch->sp, sp);
	unwind_regs_set(&w->regs, arch->fp, fp);
	w->origins.of[arch->ip] = w->origins.of[arch->sp] = w->origins.of[arch->fp] = GIVEN; /* the caller needed them */
	w->signal = false;
	w->out->by_fp++;
	return STEP_DONE;
}

/* A leaf function whose frame does not stand yet, or no more. */
static bool step_without_frame(struct walker *w, uint64_t sp, uint64_t fp)
{
	uint64_t first, second;

	if (!read_needed(w, sp, &first))
		return false;
	if (first == fp && read_needed(w, sp + 8, &second) && is_return(w, second))
		return leave(w, second, sp + 16, fp), true; /* pushed, but not yet set */
	/* One function without a row in a module that has them is assembly, a PLT slot: no frame. Of
	 * code with frame pointers a return address at sp says little: it may be an old one. */
	if (has_rows(w->here) && is_sure_return(w, first))
		return leave(w, first, sp + 8, fp), true;
	return false;
}

/* Whether the frame pointer was saved again, beside a return address, below where it points: then
 * it belongs to an older frame, and the functions in between only preserve it. Remains of earlier
 * calls can look the same, so this is for code that is not known to keep frame pointers. */
static bool frames_between(struct walker *w, uint64_t sp, uint64_t fp)
{
	uint64_t value, ip;

	w->out->needs.known = false; /* all of them */
	for (uint64_t at = sp; at + 8 < fp; at += 8) {
		if (!read_word(w, at, &value))
			return true; /* a gap cannot be one frame */
		if (value == fp && read_word(w, at + 8, &ip) && is_return(w, ip))
			return true;
	}
	return false;
}

/* Frames linked by frame pointers: generated code, and modules without call frame information. */
static enum step step_by_fp(struct walker *w, enum unwind_reason otherwise)
{
	const struct unwind_arch *arch = w->in->arch;
	uint64_t sp = w->regs.value[arch->sp], fp = w->regs.value[arch->fp], ip, next;
	bool jit = w->here->code >= UNWIND_CODE_JIT;

	if (!known(&w->regs, arch->fp))
		return stop(w, otherwise);
	need(w, arch->fp);
	if (w->exact && step_without_frame(w, sp, fp))
		return STEP_DONE;
	/* The ABI marks the outermost frame with zero; but a register that holds zero is no proof
	 * in code that may use it for anything. */
	if (!fp && !w->exact && !jit)
		return STEP_OUTERMOST;
	if (fp & 7 || (fp < sp && (jit || is_below(w->in, fp, sp))))
		return stop(w, otherwise);
	/* A chain that has led here may go on elsewhere: Go's run time changes stacks. */
	if (!read_needed(w, fp, &next) || !read_needed(w, fp + 8, &ip))
		return w->exact || jit ? stop(w, otherwise) : stop_unread(w);
	if (!ip && !jit)
		return STEP_OUTERMOST;
	if (!is_return(w, ip))
		return stop(w, otherwise);
	if (w->here->code == UNWIND_CODE_JIT && frames_between(w, sp, fp))
		return stop(w, otherwise);
	return leave(w, ip, fp + 16, next);
}

static enum step step(struct walker *w)
{
	uint64_t ip = w->regs.value[w->in->arch->ip], at = w->exact ? ip : ip - 1;
	const struct unwind_rule *rule;

	switch (w->here->code) {
	case UNWIND_CODE_JIT:
	case UNWIND_CODE_JIT_FP:
		return step_by_fp(w, UNWIND_REASON_NO_FP);
	case UNWIND_CODE_MODULE:
		if (!w->here->table)
			return stop(w, UNWIND_REASON_NO_TABLE);
		rule = unwind_table_find(w->here->table, at - w->here->bias);
		return rule ? step_by_rule(w, rule) : step_by_fp(w, UNWIND_REASON_NO_ROW);
	default:
		return step_by_fp(w, UNWIND_REASON_NO_TABLE);
	}
}

static void add_frame(struct walker *w)
{
	struct unwind_output *out = w->out;

	out->ip[out->count] = w->regs.value[w->in->arch->ip];
	out->exact[out->count++] = w->exact;
}

static bool readable(const struct unwind_input *in)
{
	return known(&in->regs, in->arch->ip) && known(&in->regs, in->arch->sp) &&
	       stack_of(in, in->regs.value[in->arch->sp]);
}

void unwind_stack(const struct unwind_input *in, struct unwind_output *out)
{
	struct walker w = {.in = in, .out = out, .regs = in->regs, .exact = true};
	enum step r = STEP_DONE;

	out->status = UNWIND_COMPLETE;
	out->reason = UNWIND_REASON_NONE;
	out->missing = 0;
	out->count = out->by_fp = 0;
	out->needs.known = in->explain;
	out->needs.count = 0;
	out->needs.regs = 1ull << in->arch->ip | 1ull << in->arch->sp;
	for (unsigned reg = 0; reg < UNWIND_REGS; reg++)
		w.origins.of[reg] = START + reg;
	if (!readable(in)) {
		out->status = UNWIND_UNREADABLE;
		return;
	}
	while (r == STEP_DONE) {
		uint64_t ip = w.regs.value[in->arch->ip];

		if (!ip && out->count)
			return; /* the outermost frame has no return address */
		w.here = find_mapping(&w, w.exact ? ip : ip - 1);
		if (w.here || !out->count)
			add_frame(&w);
		if (!w.here)
			r = stop(&w, UNWIND_REASON_NO_MAPPING);
		else if (out->count == UNWIND_FRAMES_MAX)
			r = stop(&w, UNWIND_REASON_DEPTH);
		else
			r = step(&w);
		w.exact = w.signal;
		w.signal = false;
	}
}
