/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

struct frame_share {
	unsigned functions;  /* exported functions of at least 32 bytes */
	unsigned with_frame; /* of these, how many set up a frame pointer when they begin */
};

/* Looks at the machine code of a library's dynamic symbols. -ENOEXEC: not an ELF file that can be
 * judged. */
int frame_share_read(const char *path, struct frame_share *ret_share);
