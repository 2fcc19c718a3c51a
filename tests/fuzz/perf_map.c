// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer target: a perf map, asked for addresses that it names and for others. */
#include "fuzz.h"

#include <string.h>

#include "resolver.h"

static void resolve(void *state, uint64_t offset)
{
	struct packet p = {.data = BUF_INIT};
	struct answer answer;

	answer_begin(&answer, &p, RECORD_ANSWER, 1);
	resolver_perf_map.resolve(state, offset, &answer);
	answer_end(&answer);
	packet_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_module record = {.kind = MODULE_PERF_MAP};
	struct module_request request = {.record = &record, .fd = fuzz_file(data, size)};
	void *state = resolver_perf_map.load(&request);

	if (!state)
		return 0;
	for (size_t at = 0; at + 8 <= size && at < 64; at += 8) {
		char digits[9] = {0};

		memcpy(digits, data + at, 8);
		resolve(state, strtoull(digits, NULL, 16)); /* often a start that the map names */
	}
	resolve(state, 0);
	resolve(state, UINT64_MAX);
	resolver_perf_map.free(state);
	return 0;
}
