/* SPDX-License-Identifier: BSD-2-Clause */
/* Standard output and the messages beside it, decided in one place. */
#pragma once
#include <stdbool.h>

/* At start: makes sure that descriptors 0 to 2 exist, ignores SIGPIPE and SIGXFSZ, buffers stdout unless it is
 * a terminal. */
void output_init(void);

bool output_is_terminal(int fd);
bool output_colour(int fd); /* a terminal that can, and no NO_COLOR */
unsigned output_columns(int fd); /* width of the terminal; 80 when it is none */

/* Write out what was printed to stdout. -EPIPE: nobody reads any more, end quietly; else a
 * negative errno with a message. Programs that print for long call it after each portion. */
int output_flush(void);

/* A result that is a file of its own. `write` fills the descriptor; its errors have a message, for which
 * `name` says what it writes to. PATH "-" is standard output. A file is replaced only by a whole one; a
 * pipe's reader that has seen enough is no error. */
typedef int output_writer(const void *arg, int fd, const char *name);
int output_write(const char *path, output_writer *write, const void *arg);

/* "perfscope COMMAND: fail_message()" on stderr, safe for the terminal; command may be NULL. */
void output_error(const char *command);
