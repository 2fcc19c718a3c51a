/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine code that was made at run time and has no file: what lies around places with many CPU samples is read from
 * its process while that lives, to be searched for loops that only wait. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	GENERATED_BEFORE = 128, /* bytes around the place */
	GENERATED_BYTES = 320,
};

struct generated_code {
	uint32_t places; /* that have been looked at */
};

/* This is the so manieth CPU sample at that address of the process. True: `ret_bytes` are what lies there now, from GENERATED_BEFORE
 * bytes before it. */
bool generated_code_sampled(struct generated_code *g, uint32_t samples, pid_t pid, uint64_t address,
			    uint8_t ret_bytes[GENERATED_BYTES]);
