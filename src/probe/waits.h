/* SPDX-License-Identifier: BSD-2-Clause */
/* What each system call waits for when it blocks, by its number on this machine. */
#pragma once
#include "wire.h"

void waits_table(struct syscall_wait table[SYSCALL_COUNT]);
