/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of the kernel's locks: those that are variables have symbols, those in allocated memory their address alone. */
#pragma once
#include <stdint.h>

struct kernel_text;
struct map;

struct kernel_locks {
	struct map *names; /* address -> char * */
	unsigned searched; /* how often the kernel's symbols have been read */
};

/* "rtnl_mutex", "init_net+0x40" or "0xffff888004c1b220"; valid until kernel_locks_done(). */
const char *kernel_locks_name(struct kernel_locks *l, const struct kernel_text *text, uint64_t address);
void kernel_locks_done(struct kernel_locks *l);
