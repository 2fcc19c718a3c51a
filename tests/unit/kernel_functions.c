// SPDX-License-Identifier: BSD-2-Clause
/* One frame stands for each function of the kernel. */
#include "kernel_functions.h"

#include "check.h"

int main(void)
{
	struct kernel_functions k = {.core_start = 0x1000, .core_end = 0xffffffff82000000};

	CHECK(kernel_functions_find(&k, 0x1000) == 0);
	kernel_functions_add(&k, 0x3000, 0x100, 3);
	kernel_functions_add(&k, 0x1000, 0x100, 1);
	kernel_functions_add(&k, 0xffffffff81000000, 0x200, 9);
	kernel_functions_add(&k, 0x2000, 0, 2); /* who knows where it ends */
	kernel_functions_add(&k, 0x1000, 0x80, 4);
	kernel_functions_add(&k, 0xffffffffc0000000, 0x80, 5); /* a module's */
	CHECK(k.count == 3);
	CHECK(kernel_functions_find(&k, 0xfff) == 0);
	CHECK(kernel_functions_find(&k, 0x1000) == 1 && kernel_functions_find(&k, 0x10ff) == 1);
	CHECK(kernel_functions_find(&k, 0x1100) == 0 && kernel_functions_find(&k, 0x2000) == 0);
	CHECK(kernel_functions_find(&k, 0x3080) == 3);
	CHECK(kernel_functions_find(&k, 0xffffffff810001ff) == 9 && kernel_functions_find(&k, 0xffffffff81000200) == 0);
	kernel_functions_done(&k);
	return check_done("kernel_functions");
}
