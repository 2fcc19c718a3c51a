#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test.sh: installs what the tests need, builds, runs all tests, and ends with "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."
log=build/test-build.log

die() {
	echo "test.sh: $*" >&2
	echo "0 passed, 1 failed"
	exit 1
}

echo "==> installing what is needed"
./scripts/setup.sh test || die "set-up failed (see above)"

echo "==> building"
mkdir -p build
: >"$log"
[ -f build/build.ninja ] || meson setup build >>"$log" 2>&1 ||
	{ tail -n 25 "$log"; die "meson setup failed; all of its output is in $log"; }
ninja -C build all meson-test-prereq >>"$log" 2>&1 || { grep -A 12 'FAILED\|error' "$log" | tail -n 40; die "the build failed; all of its output is in $log"; }

# What measures the machine runs alone.
rm -f build/meson-logs/unit.json build/meson-logs/others.json
echo "==> unit tests"
meson test -C build --no-rebuild --logbase unit --suite unit --print-errorlogs </dev/null || true
echo "==> tests on this kernel, one after the other"
meson test -C build --no-rebuild --logbase others --no-suite unit --num-processes 1 --print-errorlogs </dev/null || true

echo "==> sum"
exec python3 scripts/sum_tests.py tests/known-skips.txt build unit others
