/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct process_facts;
struct users;

/* Of a living process, from /proc; false when it is gone. */
bool process_facts_read(struct users *users, uint32_t pid, struct process_facts *ret_facts);
