#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test.sh: installs what the tests need, builds, runs all tests, and ends with "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."
log=build/test-build.log

fetching=
die() {
	[ -z "$fetching" ] || kill "$fetching" 2>/dev/null || :
	echo "test.sh: $*" >&2
	echo "0 passed, 1 failed"
	exit 1
}

echo "==> installing what is needed"
./scripts/setup.sh test || die "set-up failed (see above)"

echo "==> building, and fetching two kernels meanwhile"
mkdir -p build
timeout 300 scripts/kernel-matrix -f bookworm sid >build/kernels.log 2>&1 </dev/null &
fetching=$!
: >"$log"
[ -f build/build.ninja ] || meson setup build >>"$log" 2>&1 ||
	{ tail -n 25 "$log"; die "meson setup failed; all of its output is in $log"; }
ninja -C build all meson-test-prereq >>"$log" 2>&1 || { grep -A 12 'FAILED\|error' "$log" | tail -n 40; die "the build failed; all of its output is in $log"; }

# What measures the machine runs alone. What a machine does to a test now and then, it hardly does twice: a test that
# fails is run a second time, alone, and is said to have been; scenario tries its cases again by itself.
run() { # run LOG MESON-ARGUMENTS...
	log=$1
	shift
	rm -f "build/meson-logs/$log.json"
	meson test -C build --no-rebuild --logbase "$log" --print-errorlogs "$@" </dev/null || true
}

echo "==> unit tests, fuzzers, browser"
run first --suite unit --suite fuzz --suite browser
wait $fetching || echo "not all kernels could be fetched; build/kernels.log says why"
echo "==> tests on this kernel, one after the other"
run others --no-suite unit --no-suite fuzz --no-suite browser --num-processes 1
failed=$(python3 scripts/sum_tests.py --failed build first others)
rm -f build/meson-logs/again.json
failed=$(for test in $failed; do [ "$test" = scenario ] || echo "$test"; done)
if [ "$failed" ]; then
	echo "==> a second try for" $failed
	# shellcheck disable=SC2086
	run again --num-processes 1 $failed
fi

echo "==> sum"
exec python3 scripts/sum_tests.py tests/known-skips.txt build first others again
