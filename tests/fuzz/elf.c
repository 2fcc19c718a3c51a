// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer target: ELF files: symbols, stubs, packed symbols, source lines, inlined functions, code, marks for tracers. */
#include "fuzz.h"

#include "file_service.h"
#include "resolver.h"

static void resolve(void *state, uint64_t offset)
{
	struct packet p = {.data = BUF_INIT};
	struct answer answer;
	struct found found;

	answer_begin(&answer, &p, RECORD_ANSWER, 1);
	resolver_elf.resolve(state, offset, &answer);
	answer_end(&answer);
	packet_done(&p);
	resolver_elf.function(state, offset, &found);
	const uint8_t *code = resolver_elf.code(state, offset, 16);
	for (int i = 0; code && i < 16; i++)
		*(volatile const uint8_t *)(code + i);
}

static void read_marks(const uint8_t *data, size_t size)
{
	struct module_request request = {.fd = fuzz_file(data, size)};
	struct packet p = {.data = BUF_INIT};
	struct answer answer;
	void *state = resolver_marks.load(&request);

	if (!state)
		return;
	answer_begin(&answer, &p, RECORD_ANSWER, 1);
	resolver_marks.resolve(state, 0, &answer);
	answer_end(&answer);
	packet_done(&p);
	resolver_marks.free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct file_service files = {.socket = -1}; /* there are no other files */
	struct record_module record = {.kind = MODULE_ELF, .source_lines = true, .inlined = true};
	struct module_request request = {.record = &record, .fd = fuzz_file(data, size), .files = &files};
	void *state = resolver_elf.load(&request);

	read_marks(data, size);
	if (!state)
		return 0;
	for (uint64_t at = 0; at < size + 4096; at += size / 64 + 1)
		resolve(state, at);
	resolve(state, UINT64_MAX);
	resolver_elf.rest(state);
	resolve(state, size / 2);
	resolver_elf.free(state);
	return 0;
}
