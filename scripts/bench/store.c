// SPDX-License-Identifier: BSD-2-Clause
/* How fast and how densely samples are written: two million rows, 20,000 a slice.
 * usage: bench-store FILE; prints CPU seconds, rows a second, bytes a row. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "clock.h"
#include "fail.h"
#include "hash.h"
#include "store_write.h"

enum { ROWS = 2000000, ROWS_A_SLICE = 20000 };

static int write_slice(struct store *s, uint32_t slice)
{
	int r = store_begin(s);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < ROWS_A_SLICE; i++) {
		uint64_t random = hash_u64((uint64_t)slice << 32 | i);

		store_add_sample(s, &(struct sample_row){
			.slice = slice, .metric = 1 + (uint32_t)(random % 12), .task = 1 + (uint32_t)(random >> 8) % 2000,
			.stack = 1 + (uint32_t)(random >> 24) % 50000, .count = 1 + random % 3,
			.value = random >> 34});
	}
	store_add_slice(s, slice, (slice - 1) * NS_PER_S, slice * NS_PER_S);
	return store_commit(s);
}

int main(int argc, char **argv)
{
	struct store *s;
	struct stat st;
	int r = store_create(argc > 1 ? argv[1] : "bench-store.db", &s);

	for (uint32_t slice = 1; r >= 0 && slice <= ROWS / ROWS_A_SLICE; slice++)
		r = write_slice(s, slice);
	if (r >= 0)
		r = store_finish(s);
	if (r < 0) {
		fprintf(stderr, "%s\n", fail_message());
		return 2;
	}
	double cpu = (double)clock_cpu_ns() / 1e9;
	stat(store_path(s), &st);
	printf("%.2f s of CPU, %.0f rows a second, %.1f bytes a row\n", cpu, ROWS / cpu, (double)st.st_size / ROWS);
	store_free(s);
	return 0;
}
