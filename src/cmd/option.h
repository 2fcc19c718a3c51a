/* SPDX-License-Identifier: BSD-2-Clause */
/* Options as data. One table of rows gives parsing, settings, --help, the man page and completion.
 *
 *	struct record_options { uint64_t frequency; const char *output; };
 *	static const struct option rows[] = {
 *		{"output", 'o', OPTION_STRING(struct record_options, output), .value = "FILE",
 *		 .complete = COMPLETE_FILE, .help = "write the recording here"},
 *		{"frequency", 'F', OPTION_U64(struct record_options, frequency), .value = "HZ",
 *		 .min = 1, .max = 10000, .help = "samples a second on each CPU"},
 *		{0},
 *	};
 *
 * Values land in the command's own struct; a field of the wrong type does not compile. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct option;

/* A repeatable option. Settings and command line do not mix: the later place replaces the list. */
struct option_list {
	const char **items; /* owned by the list, the strings are not */
	size_t count, capacity;
	unsigned place; /* which place filled it */
};
void option_list_done(struct option_list *list);

/* A point in a recording: so long after its start, so long before its end, or a wall-clock time. */
struct option_time {
	enum { TIME_UNSET, TIME_AFTER_START, TIME_BEFORE_END, TIME_WALL } kind;
	uint64_t ns; /* TIME_WALL: since 1970, UTC */
};

struct option_type {
	/* `field` is in the command's struct; `place` counts up from settings to command line. */
	int (*parse)(const struct option *o, const char *text, void *field, unsigned place);
	/* Appends the value; nothing when it is unset. */
	void (*show)(const struct option *o, const void *field, struct buf *text);
	bool is_flag; /* takes no value; --no-NAME unsets it */
};
extern const struct option_type option_flag, option_string, option_u64, option_duration,
	option_size, option_choice, option_strings, option_time, option_percent;

#define OPTION_FIELD_(s, f, type_, ctype)                                                          \
	.type = &(type_), .offset = _Generic(((s *)0)->f, ctype : offsetof(s, f))
#define OPTION_FLAG(s, f) OPTION_FIELD_(s, f, option_flag, bool)
#define OPTION_STRING(s, f) OPTION_FIELD_(s, f, option_string, const char *)
#define OPTION_U64(s, f) OPTION_FIELD_(s, f, option_u64, uint64_t)           /* .min, .max */
#define OPTION_DURATION(s, f) OPTION_FIELD_(s, f, option_duration, uint64_t) /* ns */
#define OPTION_PERCENT(s, f) OPTION_FIELD_(s, f, option_percent, double)     /* 0.1 to 100 */
#define OPTION_SIZE(s, f) OPTION_FIELD_(s, f, option_size, uint64_t)         /* bytes */
#define OPTION_CHOICE(s, f) OPTION_FIELD_(s, f, option_choice, unsigned) /* .choices; any enum */
#define OPTION_STRINGS(s, f) OPTION_FIELD_(s, f, option_strings, struct option_list)
#define OPTION_TIME(s, f) OPTION_FIELD_(s, f, option_time, struct option_time)

/* What completion offers for a value or an operand that has no choices. */
enum complete { COMPLETE_NOTHING, COMPLETE_FILE, COMPLETE_PID, COMPLETE_RUNBOOK, COMPLETE_COMMAND };

struct option {
	const char *name; /* long name without dashes; the key in settings, too */
	char letter;      /* short name, or 0 */
	const struct option_type *type;
	size_t offset;
	const char *value; /* what the value is called; not needed for flags and short choices */
	const char *help;  /* without full stop at the end; the default is added by itself */
	uint64_t min, max; /* OPTION_U64 and OPTION_SIZE, max 0: no bound */
	const char *const *choices; /* OPTION_CHOICE: NULL-terminated, the value is the index */
	enum complete complete;
	bool no_setting; /* makes sense on the command line only */
};

/* Rows that are placed in one struct; a command has several (its own, shared ones). */
struct option_set {
	const struct option *rows; /* ends with {0} */
	char *fields;              /* the struct that the rows' offsets are in */
};

/* Sets (ending with {0}) and the rows in them, in order: start with an empty cursor. */
struct option_cursor {
	size_t set, row;
};
const struct option *option_next(const struct option_set *sets, struct option_cursor *c,
				 void **ret_field);
const struct option *option_find(const struct option_set *sets, const char *name, size_t length,
				 void **ret_field);

struct operands {
	char **items; /* owned, ends with NULL; the strings are argv's */
	int count;
};
void operands_done(struct operands *operands);

/* Parse argv[0..argc) into the sets' fields. With `stop`, everything from the first operand on is
 * operands. -EINVAL with a message for the user. */
int option_parse(const struct option_set *sets, int argc, char *const *argv, bool stop,
		 unsigned place, struct operands *ret_operands);

void option_add_value_name(const struct option *o, struct buf *text); /* "HZ", "text|json" */
/* What it does, the choices where a name stands for them, and "(default: 99)"; `field` holds the default. */
void option_add_help(const struct option *o, const void *field, struct buf *text);

/* Nanoseconds after the start of a recording that lasts from start to end (wall clock, ns),
 * clamped to it; `unset` is what an unset time means. */
uint64_t option_time_in(const struct option_time *t, uint64_t start, uint64_t end, uint64_t unset);
