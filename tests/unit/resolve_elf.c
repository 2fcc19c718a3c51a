// SPDX-License-Identifier: BSD-2-Clause
/* A file whose pages were given back names its functions and variables as before. */
#include "resolver.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cleanup.h"
#include "file_service.h"

enum { STEP = 64 };

static void name_all(void *state, off_t size, struct packet *answers)
{
	struct answer answer;

	for (uint32_t i = 0; (off_t)i * STEP < size; i++) {
		answer_begin(&answer, answers, RECORD_ANSWER, i);
		resolver_elf.resolve(state, (uint64_t)i * STEP, &answer);
		answer_end(&answer);
	}
}

__attribute__((noinline)) static void test_rest(void)
{
	struct file_service files = {.socket = -1};
	struct record_module record = {.kind = MODULE_ELF};
	struct module_request request = {.record = &record, .fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), .files = &files};
	struct packet before = {.data = BUF_INIT}, after = {.data = BUF_INIT};
	off_t size = lseek(request.fd, 0, SEEK_END);
	void *state = resolver_elf.load(&request);
	const char *name = __func__;

	CHECK(state && request.symbols);
	name_all(state, size, &before);
	resolver_elf.rest(state);
	name_all(state, size, &after);
	CHECK(memmem(before.data.data, before.data.len, name, strlen(name)));
	CHECK(before.data.len == after.data.len && !memcmp(before.data.data, after.data.data, before.data.len));
	resolver_elf.free(state);
	packet_done(&before);
	packet_done(&after);
}

int main(void)
{
	test_rest();
	return check_done("resolve_elf");
}
