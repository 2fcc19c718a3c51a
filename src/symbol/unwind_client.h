/* SPDX-License-Identifier: BSD-2-Clause */
/* The parent's side of unwinding: passes copied stacks to the child that unwinds, and its answers
 * on. What was with a child that is lost is answered as lost; later requests go to the next child,
 * which is told everything again. See symbolizer.h for the rules. */
#pragma once
#include "modules.h"
#include "symbolizer.h"
#include "zygote.h"

struct unwind_client;

struct unwind_client *unwind_client_new(const struct symbolizer_options *options,
					struct zygote *zygote, struct modules *modules, int epoll,
					struct symbolizer_stats *stats);
void unwind_client_free(struct unwind_client *c); /* before the zygote and the modules */
int unwind_client_space(struct unwind_client *c, uint32_t space,
			const struct symbol_space_mapping *m, size_t count);
void unwind_client_forget_space(struct unwind_client *c, uint32_t space);
int unwind_client_unwind(struct unwind_client *c, uint32_t space, const struct unwind_regs *regs,
			 const struct stack_copy *stack, uint64_t cookie);
struct epoll_event;
void unwind_client_dispatch(struct unwind_client *c, const struct epoll_event *events, int count);
void unwind_client_send(struct unwind_client *c); /* likewise, as name_client_send() */
bool unwind_client_has_news(const struct unwind_client *c); /* see symbolizer_has_news() */
void unwind_client_use_modules(struct unwind_client *c); /* that are in address spaces: see modules.h */
bool unwind_client_due(const struct unwind_client *c); /* answers are still to come */
void unwind_client_trim(struct unwind_client *c); /* gives memory back; about once a second */

DEFINE_CLEANUP(struct unwind_client *, unwind_client_free)
