// SPDX-License-Identifier: BSD-2-Clause
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

#include "buf.h"
#include "escape.h"

static enum log_level current_level = LOG_NORMAL;

void log_set_level(enum log_level level)
{
	current_level = level;
}

bool log_is_enabled(enum log_level level)
{
	return current_level >= level;
}

/* Names of processes and files reach these lines: nothing may steer the terminal. */
static void print(const char *prefix, const char *format, va_list args)
{
	struct buf text = BUF_INIT, safe = BUF_INIT;

	buf_addv(&text, format, args);
	escape_terminal(&safe, text.data, text.len);
	fprintf(stderr, "%s%s\n", prefix, safe.data);
	buf_done(&text);
	buf_done(&safe);
}

#define LOG_FUNCTION(name, prefix, minimum)                                                        \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list args;                                                                      \
		if (current_level < (minimum))                                                     \
			return;                                                                    \
		va_start(args, format);                                                            \
		print(prefix, format, args);                                                       \
		va_end(args);                                                                      \
	}

LOG_FUNCTION(log_warning, "perfscope: ", LOG_QUIET)
LOG_FUNCTION(log_info, "perfscope: ", LOG_NORMAL)
LOG_FUNCTION(log_debug, "perfscope: debug: ", LOG_DEBUG)
