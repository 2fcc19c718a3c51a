/* SPDX-License-Identifier: BSD-2-Clause */
/* What people read on the terminal about perfscope and its commands. */
#pragma once
#include "command.h"

/* "record [OPTION...] [-- CMD ARG...]" */
void usage_add_synopsis(struct buf *text, const struct command *command);
void usage_add_help(struct buf *text, const struct command *command, unsigned columns);
void usage_add_overview(struct buf *text, const struct command *const *commands);
