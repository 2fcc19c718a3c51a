/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once
#include "check.h"

void trial_prepare(struct trial *t, const struct utsname *uts); /* never fails: what is unknown stays empty */
void trial_done(struct trial *t);
