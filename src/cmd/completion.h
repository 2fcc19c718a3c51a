/* SPDX-License-Identifier: BSD-2-Clause */
/* Shell completion, made from the commands' tables. */
#pragma once
#include "command.h"

void completion_add_bash(struct buf *script, const struct command *const *commands);
void completion_add_zsh(struct buf *script, const struct command *const *commands);
void completion_add_fish(struct buf *script, const struct command *const *commands);
