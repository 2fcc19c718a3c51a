/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers as users write them. All of the text must be used up; errors are -EINVAL or -ERANGE,
 * with a message that quotes the text and says what is wanted. */
#pragma once
#include <stdint.h>

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);
int parse_double(const char *text, double min, double max, double *ret_value);
int parse_duration(const char *text, uint64_t *ret_ns); /* 500ms, 10s, 1.5m, 2h, 1d; bare is seconds; > 0 */
int parse_size(const char *text, uint64_t *ret_bytes);  /* 4096, 64K, 16M, 1G: powers of 1024 */
/* "0-3,8": sets bits in `set` (bit n of word n / 64); -ERANGE when a number is >= bits. */
int parse_cpu_list(const char *text, uint64_t *set, unsigned bits);
