/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules for people. */
#pragma once
#include "rule.h"

struct buf;

void rules_list(const struct rules *rules, struct buf *text); /* a line each */
void rule_explain(const struct rule *rule, unsigned width, struct buf *text);
