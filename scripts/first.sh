#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# first.sh: from a fresh clone to a first picture of this machine. Installs what is needed, builds,
# records ten seconds of a small load, and leaves perfscope.db and perfscope.svg in the project's folder.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build
log=build/first.log
: >"$log"
load=

step() {
	echo "==> $*"
	echo "==> $*" >>"$log"
}

die() {
	echo "first.sh: $*" >&2
	exit 1
}

# Run quietly; what it said is shown when it fails.
quietly() {
	"$@" >>"$log" 2>&1 || { tail -n 25 "$log" >&2; die "'$*' failed; all of its output is in $log"; }
}

# The load is a process group; a very young one may not be yet.
stop_load() {
	[ "$load" ] || return 0
	kill -- "-$load" 2>/dev/null || kill "$load" 2>/dev/null || true
	wait "$load" 2>/dev/null || true
	load=
}
trap stop_load EXIT
trap 'exit 130' INT TERM

[ "$(id -u)" = 0 ] || die "run it as root: recording the whole machine needs it"

step "installing what is needed"
./scripts/setup.sh || die "set-up failed (see above)"

step "building"
[ -f build/build.ninja ] || quietly meson setup build
quietly ninja -C build
perfscope=build/src/cmd/perfscope

step "recording this machine for ten seconds, while files are packed and sorted"
setsid sh -c 'while :; do tar -cf - /usr/include /usr/share/doc 2>/dev/null | gzip -6 | wc -c; ls -lR /usr | sort -k5n | tail -1; done' \
	>/dev/null 2>&1 &
load=$!
"$perfscope" record -o perfscope.db -d 10s || die "recording failed; '$perfscope doctor' says what this kernel allows"
stop_load

step "what the machine did"
"$perfscope" report perfscope.db || die "the report failed"

step "what is wrong with it"
status=0
"$perfscope" diagnose perfscope.db || status=$?
[ "$status" -le 1 ] || die "the diagnosis failed"

step "drawing the flame graph"
"$perfscope" flamegraph perfscope.db -o perfscope.svg || die "the flame graph failed"

step "done: perfscope.db is the recording, perfscope.svg the flame graph (open it in a browser), $perfscope the program"
