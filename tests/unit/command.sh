#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# command.sh PERFSCOPE: what every command does alike, tried from outside.
perfscope=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
HOME=$dir
export HOME
passed=0 failed=0

fact() { # fact WHAT TEST-ARGUMENTS...
	what=$1
	shift
	if test "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not so: $what ($*)" >&2
		cat "$dir/out" "$dir/err" >&2
	fi
}

try() { # try STATUS ARGUMENTS...: one line on stderr exactly when the status is 2
	want=$1
	shift
	"$perfscope" "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	fact "status of 'perfscope $*'" "$got" = "$want"
	fact "lines of errors of 'perfscope $*'" "$(wc -l <"$dir/err")" = "$((want == 2))"
}

said() {
	fact "said $1" "$(grep -cF -e "$1" "$dir/err")" = 1
}

try 0
try 0 help
fact "the overview names help" "$(grep -c '^  help ' "$dir/out")" = 1
fact "the overview hides the generator" "$(grep -c generate "$dir/out")" = 0
try 0 --help
try 0 --version
fact "the version" "$(grep -cx 'perfscope [0-9.]*' "$dir/out")" = 1
try 2 hlep
said "perfscope: there is no command 'hlep', did you mean 'help'?"
try 2 --bogus
try 2 "$(printf 'x\033[31m')"
fact "escapes are made visible" "$(tr -d '\n[:print:]' <"$dir/err" | wc -c)" = 0
try 2 help nothing

perfscope=$(realpath "$perfscope")
cd "$dir" || exit 1
try 2 report
said "there is no perfscope.db in this folder: 'perfscope record' makes one"

# Somebody else's home, as after a change of user, is no reason to fail.
closed() {
	mkdir -m 0 "$dir/closed"
	if [ "$(id -u)" = 0 ]; then
		HOME=$dir/closed setpriv --bounding-set=-all "$perfscope" runbook list >"$dir/out" 2>"$dir/err"
	else
		HOME=$dir/closed "$perfscope" runbook list >"$dir/out" 2>"$dir/err"
	fi
	fact "status with a home that cannot be read" $? = 0
	said "is left out: no permission to read it"
}
closed

try 2 record -o -
said "a recording is a database, which standard output cannot be"

# Each command explains itself and refuses what it does not know.
for command in $("$perfscope" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
	try 0 "$command" --help
	fact "$command: width of help" "$(wc -L <"$dir/out")" -le 80
	try 0 help "$command"
	try 2 "$command" --bogus
	said "perfscope $command: unknown option --bogus"
	try 2 "$command" --quiet=1
	try 0 generate man "$command"
done

# With a program, 2 would be the program's status.
"$perfscope" record --bogus -- true 2>"$dir/err"
fact "record's status when it fails with a program" $? = 125
said "perfscope record: unknown option --bogus"

mkdir -p "$dir/.config/perfscope"
settings=$dir/.config/perfscope/perfscope.yaml
printf 'all:\n  quite: true\n' >"$settings"
chmod 600 "$settings"
try 0 help
try 0 help help
try 2 doctor
said "$settings:2:3: there is no option 'quite', did you mean 'quiet'?"
printf 'doctor: {format: yaml}\n' >"$settings"
try 2 doctor --format text
said "$settings:1:18: format: 'yaml' is not one of text, json"

"$perfscope" help >/dev/full 2>"$dir/err"
fact "status when the disk is full" $? = 2
said "No space left on device"
"$perfscope" help >&- 2>"$dir/err"
fact "status when there is no stdout" $? = 2
"$perfscope" help 2>"$dir/err" | true
fact "silence when nobody reads" ! -s "$dir/err"

echo "command: $passed passed, $failed failed"
test "$failed" = 0
