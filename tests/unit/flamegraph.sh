#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# flamegraph.sh PERFSCOPE: the flamegraph command on good and bad input: exit codes, messages, and
# pictures that an XML parser accepts.
set -u
perfscope=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
cd "$dir" || exit 1

check() { # NAME COMMAND...
	name=$1
	shift
	if "$@" >check.log 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not so: $name" >&2
		cat check.log >&2
	fi
}

# draws NAME: draws standard input, which must give a whole picture without control characters.
draws() {
	"$perfscope" flamegraph --folded -o out.svg >out.log 2>&1 &&
		xmllint --noout out.svg && ! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" out.svg
}

# refuses MESSAGE: standard input must give exit code 2 and one line with MESSAGE, no picture.
refuses() {
	rm -f none.svg
	"$perfscope" flamegraph --folded -o none.svg >out.log 2>&1
	[ $? -eq 2 ] && [ "$(wc -l <out.log)" -eq 1 ] && grep -qF -- "$1" out.log && [ ! -e none.svg ]
}

good() { printf 'main;a 1\nmain;b;c 2\n'; }
one_mib() { head -c 1048576 /dev/zero | tr '\0' x; }

good >good.folded
check "plain stacks" draws <good.folded
printf '\033[31m;<script>;a&b;]]>;"x\1\2\177\0y;\377\376 3\n' >hostile
check "markup and controls in names" draws <hostile
{ one_mib; echo ' 5'; good; } >long
check "a name of 1 MiB" draws <long
{ yes f | head -n 5000 | tr '\n' ';'; echo 'end 5'; good; } >deep
check "5000 frames deep" draws <deep
check "which is told" grep -q 'only the largest' out.svg
printf 'a;b 1\r\n\r\na;;b 0.5\r\n; 2\r\n' >odd
check "CRLF, empty frames, fractions" draws <odd
{ good; printf 'broken\nmain 99999999999999999999\nmain -3\n'; } >mixed
check "some bad lines" draws <mixed
check "give one warning" test "$(cat out.log)" = "perfscope: standard input:3: no count at its end; 3 of 5 lines skipped
perfscope: wrote out.svg"
head -c 300000 /dev/urandom >noise
{ cat noise; echo; good; } >noisy
check "noise around stacks" draws <noisy

check "empty input is refused" refuses "standard input: it is empty" </dev/null
check "a line without count is refused" refuses "standard input:1: no count at its end" <<X
main;a
X
check "a negative count is refused" refuses "standard input:1: the count is negative" <<X
main;a -1
X
check "a huge count is refused" refuses "standard input:1: the count is above 2^53" <<X
main;a 123456789012345678901234567890
X
check "counts of nothing are refused" refuses "standard input: all counts are 0" <<X
main;a 0
X

status() { # WANTED MESSAGE ARG...
	wanted=$1 message=$2
	shift 2
	"$perfscope" flamegraph "$@" >out.log 2>&1 </dev/null
	got=$?
	[ $got -eq "$wanted" ] && grep -qF -- "$message" out.log
}
check "a missing file" status 2 "open nowhere.folded: No such file" --folded nowhere.folded
check "a folder" status 2 "read .: Is a directory" --folded .
check "a full disk" status 2 "write /dev/full: No space left" --folded good.folded -o /dev/full
check "a folder that is not there" status 2 "create no/where.svg" --folded good.folded -o no/where.svg
printf 'x' >hostile.base
check "a malformed base" status 2 "hostile.base:1: no count at its end" --folded good.folded --diff hostile.base -o x.svg
check "no picture of half a comparison" test ! -e x.svg
printf 'main;a 1 2\nmain;b 3 4\n' >two.folded
check "a comparison that is compared" status 2 "two.folded: its lines have two counts" --folded two.folded --diff good.folded -o x.svg
check "a comparison as base" status 2 "two.folded: its lines have two counts" --folded good.folded --diff two.folded -o x.svg
check "itself as base" status 2 "compared with itself" --folded good.folded --diff good.folded -o x.svg
check "a width of nothing" status 2 "width" --folded good.folded --width 1

"$perfscope" flamegraph --folded good.folded >piped.svg
check "a pipe gets the picture" xmllint --noout piped.svg
"$perfscope" flamegraph --folded - --title '<&">' --subtitle "$(printf 'a\nb\033')" --unit '"<' --icicle <good.folded >titled.svg
check "titles are escaped" xmllint --noout titled.svg
printf 'main;a 1\nmain;d 7\n' >base.folded
"$perfscope" flamegraph --folded good.folded --diff base.folded >diff.svg
check "a comparison" xmllint --noout diff.svg
check "says what it compares" grep -q 'good.folded compared with base.folded' diff.svg
check "has amounts" grep -q 'before 12.50 %, after 33.33 %: +20.83 points' diff.svg
{ "$perfscope" flamegraph --folded good.folded 2>closed.log; echo $? >closed.status; } | head -c 1 >/dev/null
check "a reader that leaves early is no error" test "$(cat closed.status)" = 0 -a ! -s closed.log

echo "flamegraph-command: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
