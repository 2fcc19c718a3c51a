// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer target: a settings file, for a command that has an option of each type. */
#include "fuzz.h"

#include <stdio.h>
#include <sys/stat.h>

#include "../unit/sample_command.h"
#include "arena.h"
#include "buf.h"
#include "settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(command_options_done) struct command_options co = {0};
	_cleanup_(arena_freep) struct arena *strings = arena_new();
	_cleanup_close_ int fd = fuzz_file(data, size);
	char path[64];

	fchmod(fd, 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	command_options_init(&co, &sample);
	settings_load_file(path, commands, &sample, &co, strings, 1);
	return 0;
}
