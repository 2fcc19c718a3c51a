/* SPDX-License-Identifier: BSD-2-Clause */
/* Manual pages, made from the commands' tables. */
#pragma once
#include "command.h"

void man_add_command(struct buf *page, const struct command *command, const char *version);
void man_add_overview(struct buf *page, const struct command *const *commands, const char *version);
