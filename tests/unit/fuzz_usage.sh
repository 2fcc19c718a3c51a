#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# fuzz_usage.sh FUZZ: what scripts/fuzz does not understand is answered at once, before anything is built.
passed=0 failed=0

refused() {
	said=$(timeout 5 "$fuzz" "$@" 2>&1 </dev/null)
	if [ $? -eq 2 ] && echo "$said" | grep -q '^usage: scripts/fuzz'; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not refused: $*" >&2
	fi
}

fuzz=$1
refused --help
refused -s
refused -s x
refused ten
refused 10 no_such_target

echo "fuzz-usage: $passed passed, $failed failed"
test "$failed" = 0
