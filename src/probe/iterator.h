/* SPDX-License-Identifier: BSD-2-Clause */
/* What an iterator's program writes. */
#pragma once
#include "buf.h"

/* Runs it, and adds what it writes to the buffer; far too much is cut off. what: "sockets". Negative errno with fail(). */
int iterator_read(int link, const char *what, struct buf *b);
