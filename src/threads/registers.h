/* SPDX-License-Identifier: BSD-2-Clause */
/* Places in thread_record's registers, and what the system call convention makes of them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#if defined(__aarch64__)
/* x0 to x30 stand at their numbers. x0 holds the result in the end; what it was stands aside. */
enum { REGISTER_X0, REGISTER_FP = 29, REGISTER_SP = 31, REGISTER_IP, REGISTER_PSTATE, REGISTER_FIRST, REGISTER_NUMBER };
enum { PSTATE_32_BIT = 0x10 };

static inline unsigned register_of_argument(unsigned i)
{
	return i % 6 ? REGISTER_X0 + i % 6 : REGISTER_FIRST;
}

static inline bool registers_are_32_bit(const uint64_t *registers)
{
	return registers[REGISTER_PSTATE] & PSTATE_32_BIT;
}

/* The number of the system call; -1: in none. */
static inline int64_t registers_call(const uint64_t *registers)
{
	return (int32_t)registers[REGISTER_NUMBER];
}
#else
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

static inline bool registers_are_32_bit(const uint64_t *registers)
{
	return (registers[REGISTER_CS] & 0xffff) == SEGMENT_32_BIT;
}

/* The number of the system call; -1: in none. */
static inline int64_t registers_call(const uint64_t *registers)
{
	return (int64_t)registers[REGISTER_NUMBER];
}
#endif
