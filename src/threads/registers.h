/* SPDX-License-Identifier: BSD-2-Clause */
/* Places in thread_record's registers, on x86-64, and what the system call convention makes of
 * them. */
#pragma once
#include <stdint.h>

enum {
	REGISTER_R15, REGISTER_R14, REGISTER_R13, REGISTER_R12, REGISTER_BP, REGISTER_BX,
	REGISTER_R11, REGISTER_R10, REGISTER_R9, REGISTER_R8, REGISTER_AX, REGISTER_CX,
	REGISTER_DX, REGISTER_SI, REGISTER_DI, REGISTER_NUMBER,
	REGISTER_IP, REGISTER_CS, REGISTER_FLAGS, REGISTER_SP,
};

enum { SEGMENT_32_BIT = 0x23 };

static inline unsigned register_of_argument(unsigned i)
{
	static const unsigned char order[6] = {
		REGISTER_DI, REGISTER_SI, REGISTER_DX, REGISTER_R10, REGISTER_R8, REGISTER_R9};

	return order[i % 6];
}
