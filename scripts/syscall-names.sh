#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The machine's system calls as the C library's headers name them, one X(name) a line: syscall-names.sh COMPILER...
set -eu
echo '#include <sys/syscall.h>' | "$@" -E -dM -x c - |
	sed -n 's/^#define __NR_\([a-z][a-z0-9_]*\) .*/X(\1)/p' | grep -v -e '(syscalls)' -e arch_specific | sort
