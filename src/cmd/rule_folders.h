/* SPDX-License-Identifier: BSD-2-Clause */
/* Where users keep rules of their own. */
#pragma once
#include "cleanup.h"

struct rule_folders;

struct rule_folders *rule_folders_new(void);
void rule_folders_free(struct rule_folders *folders);
const char *const *rule_folders_list(const struct rule_folders *folders); /* NULL-terminated */

DEFINE_CLEANUP(struct rule_folders *, rule_folders_free)
