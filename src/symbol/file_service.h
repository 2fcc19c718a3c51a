/* SPDX-License-Identifier: BSD-2-Clause */
/* A child has no files: it asks its parent for one, and waits. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct file_service {
	int socket;
};

/* A descriptor, or -1. `kind` is one of the child's own enumeration (protocol.h); `note`, if not
 * NULL, receives what the parent says with it. */
int file_service_want(struct file_service *files, uint32_t module, uint32_t kind, const void *name,
		      size_t len, struct buf *note);
