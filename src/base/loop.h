/* SPDX-License-Identifier: BSD-2-Clause */
/* The one event loop of a process: descriptors, timers and signals. */
#pragma once
#include <stdint.h>

#include "cleanup.h"

struct loop;
struct loop_source;

/* A handler returns a negative errno to end loop_run() with it, else 0. */
typedef int loop_handler(void *arg, uint32_t events);

int loop_new(struct loop **ret_loop);
void loop_free(struct loop *l);

/* `events` as in epoll (EPOLLIN...). The descriptor stays the caller's. */
int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_handler *handler, void *arg,
		struct loop_source **ret_source);
/* First after first_ns, then every interval_ns (0: once). Periods that were missed are not made up. */
int loop_add_timer(struct loop *l, uint64_t first_ns, uint64_t interval_ns, loop_handler *handler,
		   void *arg, struct loop_source **ret_source);
/* Blocks the signal and handles it in the loop; `events` is the signal's number. */
int loop_add_signal(struct loop *l, int signal, loop_handler *handler, void *arg);
void loop_remove(struct loop *l, struct loop_source *source); /* NULL is fine; safe inside a handler */

int loop_run(struct loop *l);   /* until loop_stop() (0) or a handler's error */
void loop_stop(struct loop *l);

DEFINE_CLEANUP(struct loop *, loop_free)
