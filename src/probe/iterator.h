/* SPDX-License-Identifier: BSD-2-Clause */
/* What an iterator's program writes. */
#pragma once
#include "buf.h"

/* Runs it, and adds what it writes to the buffer. Negative errno with fail(). */
int iterator_read(int link, struct buf *b);
