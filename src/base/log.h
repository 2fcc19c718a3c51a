/* SPDX-License-Identifier: BSD-2-Clause */
/* Progress and warnings, on stderr; results never come this way. */
#pragma once
#include <stdbool.h>


enum log_level { LOG_QUIET, LOG_NORMAL, LOG_DEBUG };

void log_set_level(enum log_level level);
bool log_is_enabled(enum log_level level);
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2))); /* also when quiet */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
