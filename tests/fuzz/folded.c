// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer target: folded stacks that others wrote; what is written of them must be readable again, with the same sum. */
#include "fuzz.h"

#include <math.h>

#include "flame.h"
#include "folded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(flame_freep) struct flame *f = flame_new(), *again = flame_new();
	_cleanup_close_ int in = fuzz_file(data, size), out = memfd_create("output", MFD_CLOEXEC);
	struct folded_result result;

	if (flame_read_folded(f, FLAME_NEW, in, "input", &result) < 0 || !(flame_total(f, FLAME_NEW) > 0))
		return 0;
	if (flame_write_folded(f, FLAME_NEW, out) < 0 || lseek(out, 0, SEEK_SET) < 0 ||
	    flame_read_folded(again, FLAME_NEW, out, "output", &result) < 0)
		abort();
	return 0;
}
