/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of users, from /etc/passwd: a static program cannot ask the system's name services. */
#pragma once
#include <stdint.h>

#include "cleanup.h"

struct users;

struct users *users_new(void); /* reads the names once */
void users_free(struct users *u);
/* The user of a living process, as a name or a number; NULL when it is gone. Valid until the next call. */
const char *users_of_process(struct users *u, uint32_t pid);

DEFINE_CLEANUP(struct users *, users_free)
