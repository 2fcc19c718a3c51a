/* SPDX-License-Identifier: BSD-2-Clause */
/* The parent's side of naming: passes questions about modules and code to the child that reads them, and its answers on, in the
 * order of the questions. What was with a child that is lost goes to the next one. See symbolizer.h for the rules. */
#pragma once
#include "modules.h"
#include "symbolizer.h"
#include "zygote.h"

struct name_client;

struct name_client *name_client_new(const struct symbolizer_options *options, struct zygote *zygote, struct modules *modules, int epoll,
				    struct symbolizer_stats *stats);
void name_client_free(struct name_client *c); /* before the zygote and the modules */
bool name_client_start(struct name_client *c); /* its child; false: it cannot run */
/* symbolizer_request(), symbolizer_request_code() and symbolizer_request_loops(). */
int name_client_ask(struct name_client *c, int module, uint64_t offset, uint32_t frame);
int name_client_ask_code(struct name_client *c, int module, uint64_t offset, uint64_t size, uint32_t function);
int name_client_ask_loops(struct name_client *c, const void *bytes, uint32_t size, uint64_t start, uint64_t at, uint32_t function);
struct epoll_event;
void name_client_dispatch(struct name_client *c, const struct epoll_event *events, int count);
void name_client_send(struct name_client *c); /* what has been gathered, as far as there is room; dispatch does the rest */
void name_client_use_modules(struct name_client *c); /* that it is being asked about: see modules.h */
bool name_client_due(const struct name_client *c); /* answers are still to come */
