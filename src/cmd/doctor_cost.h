/* SPDX-License-Identifier: BSD-2-Clause */
/* What watching costs on this machine now. */
#pragma once
#include <stdbool.h>

/* Records for a few seconds, without a file, and prints what each kind of hook has cost; negative errno with a message. */
int doctor_cost(bool json);
