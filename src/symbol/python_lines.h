/* SPDX-License-Identifier: BSD-2-Clause */
/* CPython's tables from instructions to source lines. The bytes come from another process: whatever
 * they are, reading ends with them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum python_lines_format {
	PYTHON_LINES_LNOTAB,    /* up to 3.9: pairs of steps */
	PYTHON_LINES_RANGES,    /* 3.10: pairs of length and step */
	PYTHON_LINES_LOCATIONS, /* from 3.11: entries of varying length, with columns */
};

/* The line of the instruction that is `unit` units of two bytes behind the first; 0: none, or not
 * known. */
uint32_t python_line(enum python_lines_format format, const uint8_t *bytes, size_t len,
		     uint32_t first_line, uint32_t unit);
