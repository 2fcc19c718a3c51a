#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# top.sh PERFSCOPE INJECTORS: top as a user sees it, in tmux: keys, sizes, kinds of terminals, and the terminal afterwards,
# however it ended. Needs root.
set -u
perfscope=$(realpath "$1")
injectors=$(realpath "$2")
dir=$(mktemp -d)
export LC_ALL=C.UTF-8
unset NO_COLOR COLORFGBG TMUX
passed=0 failed=0
helpers=() crowd=()

tm() { tmux -L "perfscope-top-$$" -f /dev/null "$@"; }
finish() {
	tm kill-server 2>/dev/null
	kill "${helpers[@]}" 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

pane() { tm capture-pane -p -t top; }
result() { # STATUS NAME
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not so: $2" >&2
		tail -n 20 "$dir/check.log" >&2
		pane >&2 2>/dev/null
	fi
}
check() { # NAME COMMAND...
	local name=$1
	shift
	"$@" >"$dir/check.log" 2>&1
	result $? "$name"
}
within() { # SECONDS COMMAND...: true as soon as the command is
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt $end ] || return 1
		sleep 0.05
	done
}
# What is looked for is nobody's argument: the screen that is looked at shows command lines.
rows_with() { grep -F -f <(printf '%s\n' "$1"); }
has() { pane | rows_with "$1" >/dev/null; }
row_has() { pane | rows_with "$1" | rows_with "$2" >/dev/null; }
sees() { within 10 has "$1"; }
gone() { has "$1" && return 1 || return 0; }
keys() { tm send-keys -t top "$@"; }
type_line() {
	keys -l "$1"
	keys Enter
}
flags() { tm display -p -t top '#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_cursor_flag}'; }

# A shell with job control in the pane, as a user has it.
open_shell() { # COLUMNS ROWS [VARIABLE=VALUE...]
	local columns=$1 rows=$2
	shift 2
	tm kill-server 2>/dev/null
	within 4 test ! -S "${TMUX_TMPDIR:-/tmp}/tmux-$(id -u)/perfscope-top-$$" || sleep 0.5
	tm -u new-session -d -s top -x "$columns" -y "$rows" env "PS1=ready> " "$@" bash --norc --noprofile -i
	sees 'ready>'
	type_line "stty -a >$dir/before"
	within 10 test -s "$dir/before"
}
start() {
	rm -f "$dir/status"
	type_line "clear; cd $dir; $perfscope top $*; echo \$? >$dir/status"
	sees 'SERVICE' && within 10 showing
}
processes() {
	keys 2
	sees 'PID'
}
showing() { pane | grep -q 'CPUs  load'; }
# The recorder is the one of perfscope's processes that the shell started.
main_pid() { pgrep -x perfscope -P "$(tm display -p -t top '#{pane_pid}')"; }
restored() {
	rm -f "$dir/after"
	within 10 eval '[ "$(flags)" = "0 1 0 0" ]' || { flags; return 1; }
	type_line "stty -a >$dir/after"
	within 10 test -s "$dir/after"
	diff "$dir/before" "$dir/after"
}
ended_with() { within 10 test -s "$dir/status" && [ "$(cat "$dir/status")" -eq "$1" ]; }

spin() { # the first helper
	(exec -a spin-for-test "$BASH" -c 'while :; do :; done') &
	helpers[0]=$!
}
spin
(exec -a "$(printf 'evil\033[2J\033]0;title\007\342\200\256name')" sleep infinity) &
helpers+=($!)
(exec -a "日本語のプロセス" sleep infinity) &
helpers+=($!)

check "a shell in tmux" open_shell 80 24
began=${EPOCHREALTIME/./}
check "it starts" start
took=$(((${EPOCHREALTIME/./} - began) / 1000))
check "its first screen is there soon ($took ms)" test $took -lt 5000 # a machine without other work takes a fifth of it
check "the overview names what is used" within 10 has 'RESOURCE'
check "and that nothing is known yet, or what is wrong" eval 'has "Looking for" || has "Nothing holds" || has "for "'
check "2 shows processes" processes
check "the spinner is seen to run" within 10 row_has spin-for-test '█'
check "no row is wider than the terminal" test "$(pane | wc -L)" -le 80
check "the footer names screens" has '?Help'
check "and keys" has 'qQuit'
keys H
check "H shows threads" sees TID
keys H
check "H shows processes again" within 10 gone TID
keys '>'
check "> orders by the next column" sees 'RUNQ%▾'
keys I
check "I turns it round" sees 'RUNQ%▴'
keys '<'
check "< goes back" sees 'CPU%▾'
keys t
check "t shows a tree" sees '└─'
keys F4 spin-for
check "F4 leaves rows out" eval 'sees "Filter: spin-for" && within 10 gone "perfscope top"'
keys Enter
check "for as long as it is wanted" sees '(1 of'
keys Escape
check "and Escape shows them again" within 10 gone 'Filter: '
keys t
check "t shows a list again" within 10 gone '└─'
keys c
check "c shows control groups" within 10 eval 'pane | grep -q "^ *- "'
keys c
check "c shows a list again" within 10 gone '├─'
keys / evil
check "/ asks for a name" sees 'Search: evil'
check "a hostile name is made harmless" sees 'evil\x1b['
keys Escape
check "Escape ends the search" within 10 gone 'Search:'
keys p
check "p pauses" sees paused
before=$(pane)
sleep 1.3
check "nothing moves in a pause" test "$before" = "$(pane)"
keys p
check "p goes on" within 10 gone paused
keys + +
check "+ widens the window" sees 'window 5'
keys - -
check "- narrows it" sees 'window 1'
keys '?'
check "? helps" sees 'services and connections by process'
keys End
check "which goes on below" sees INSTRUCTION
keys '?'
check "? goes back" sees 'CPU%▾'
keys F1 Home
check "F1 helps, too" sees 'services and connections by process'
keys Escape
check "Escape goes back" sees 'CPU%▾'
screen() { # KEY TEXT
	keys "$1"
	check "$1 shows its screen" sees "$2"
}
screen 3 SEVERITY
screen 4 'SELF%▾'
screen Tab 'call tree'
check "a tree of calls" sees 'TOTAL%  SELF%'
screen 5 'WAITS/S'
screen 6 'HELD BY'
screen 7 'BUSY%▾'
screen Tab 'IO TIME%'
screen 8 'SENT/S▾'
screen Tab 'REQ/S'
screen 9 'AMOUNT▾'
screen 0 'AGO▴'
screen f offcpu
keys Down Down
check "a frame of the flame graph is chosen" sees '%  '
screen a OFFSET
screen 1 SERVICE
keys w
check "w writes the recording" within 10 eval 'ls "$dir"/perfscope-*.db'
check "which is one" within 5 eval '"$perfscope" report "$dir"/perfscope-*.db | grep -q "most by"'
keys s
check "s writes a flame graph" within 10 eval 'ls "$dir"/flame-cpu-*.svg'
keys [ [
check "[ looks back" sees 'ago'
keys p
check "p comes back" within 10 gone ' ago'
keys 2
sees 'PID USER'
# A click on a column's title, as the terminal reports it, and the wheel.
mouse() { # BUTTON COLUMN ROW
	keys -l "$(printf '\033[M')$(printf "\\$(printf '%03o' $((32 + $1)))\\$(printf '%03o' $((32 + $2)))\\$(printf '%03o' $((32 + $3)))")"
}
click() { # COLUMN ROW
	mouse 0 "$1" "$2"
	mouse 3 "$1" "$2"
}
line_has() { pane | sed -n "$1p" | grep -qE -- "$2"; } # ROW PATTERN
click_title() { # again, where a finding's line has come or gone in between
	for _ in 1 2 3; do
		row=$(pane | grep -n 'PID' | head -n 1 | cut -d: -f1)
		click 5 "$row"
		within 1 has 'PID▴' && return
	done
	return 1
}
check "a click on a title orders by it" click_title
mouse 65 5 $((row + 3))
keys p
check "a pause shows the time line" within 10 line_has 2 '^time'
click 6 2
check "a click in it leads to a moment" within 10 line_has 1 ' ago'
mouse 0 6 2
mouse 3 9 2
check "and pressing and releasing to a part" within 10 line_has 1 'window [2-9]'
keys p - - -
check "p comes back from there" within 10 eval '! line_has 2 "^time"'
keys P
check "P orders by CPU" sees 'CPU%▾'
tm resize-window -t top -x 200 -y 60
check "a larger terminal shows more columns" sees CGROUP
check "and fills it" within 10 eval '[ "$(pane | wc -L)" -gt 150 ]'
for size in '20 10' '1 1' '3 2' '40 5' '300 3'; do
	tm resize-window -t top -x "${size% *}" -y "${size#* }"
	sleep 0.15
	check "it lives at $size" test -n "$(main_pid)"
done
tm resize-window -t top -x 80 -y 24
check "and comes back" sees RSS
keys C-z
check "Ctrl-Z stops it" sees Stopped
check "and gives the terminal back" restored
rm -f "$dir/status"
type_line "fg; echo \$? >$dir/status"
check "fg brings it back" within 10 showing
# From a finding to an instruction. Without more work than there are CPUs: that would be the cause.
kill "${helpers[0]}"
(exec "$injectors/storekeepers" 4 1000 300 >/dev/null 2>&1) &
keeper=$!
helpers+=($keeper)
keys 1
check "the finding is there" within 60 eval 'pane | sed -n 2p | grep -q "storekeeper wait"'
keys Home Enter
check "Enter shows its evidence" sees 'lock wait share'
keys Enter
check "Enter shows the threads" sees TID
check "of that process alone" sees 'only storekeeper'
keys Enter
check "Enter shows where a thread waits or runs" within 10 eval 'has "Who ended these waits" || has "SELF%"'
keys 6
check "its lock has a holder" sees 'in reserve_i'
keys Enter
check "Enter shows what the holder runs" sees 'SELF%▾'
keys Enter
# What a holder does most may be the kernel's, whose code is not kept.
check "Enter shows instructions, or says why not" within 10 eval 'row_has ": " " samples, " || has "the code of"'
check "with their shares" within 10 eval 'has OFFSET || has "the code of"'
keys BSpace BSpace
check "Backspace goes back" sees 'HELD BY'
kill $keeper
# What fills the disk, and what eats the CPU, is one key away.
(exec -a filler-for-test python3 -c 'import os
f = open("'"$dir"'/filled", "wb")
while True:
    f.seek(0)
    f.write(b"x" * 4000000)
    f.flush()
    os.fsync(f.fileno())') &
helpers+=($!)
keys 1
sees SERVICE
keys 7
within 4 has 'for the disk here' || keys Down # flushes may be a worker's of the kernel
check "7 names who fills the disk" within 10 has 'for the disk here'
kill "${helpers[-1]}"
(exec "$injectors/hotserver" 2 70 >/dev/null 2>&1) &
helpers+=($!)
keys 1
sees SERVICE
keys 4
check "4 names the function that eats the CPU" within 15 has price_basket
kill "${helpers[-1]}"
spin
keys q
check "q ends it with 0" ended_with 0
check "and gives the terminal back" restored

# Every signal and every kind of terminal: tests/terminal/terminals.py.
check "it starts again" start
kill -TERM "$(main_pid)"
check "SIGTERM ends it with 0" ended_with 0
check "and gives the terminal back" restored
check "it starts again" start
kill -SEGV "$(main_pid)"
check "a crash ends it" ended_with $((128 + $(kill -l SEGV)))
check "and gives the terminal back" restored

check "it starts again" start
kill -KILL "$(main_pid)"
check "killed, it ends" ended_with 137
check "and the terminal is given back" restored

check "it starts again" start
pkill -KILL -P "$(main_pid)"
before=$(pane | head -n 1)
check "without its children it goes on" within 10 eval '[ "$(pane | head -n 1)" != "$before" ] && showing'
processes
check "and shows who runs" within 10 row_has spin-for-test '█'
keys q
check "and ends" ended_with 0

is_ascii() { ! pane | LC_ALL=C grep -q "$(printf '[\200-\377]')"; }
open_shell 80 24 LC_ALL=C
check "it starts without UTF-8" start
check "and draws in ASCII" is_ascii
check "processes in ASCII" processes
check "with bars" within 10 row_has spin-for-test '##'
keys q
check "and ends" ended_with 0
open_shell 80 24 LC_ALL= LANG=xx_YY.UTF-8
check "it starts in a locale that is not installed" start
check "processes there, too" processes
check "and knows UTF-8" within 10 row_has spin-for-test '█'
keys q
check "and ends" ended_with 0
colours() { tm capture-pane -p -e -t top | LC_ALL=C grep -c "$(printf '\033')\[\([0-9]*;\)*3[0-8][;m]"; }
for terminal in vt100 xterm-256color; do
	open_shell 80 24 "TERM=$terminal" COLORFGBG="0;15"
	check "it starts on $terminal" start
	if [ $terminal = vt100 ]; then
		check "without colours" test "$(colours)" -eq 0
	else
		check "with colours" within 10 eval '[ "$(colours)" -gt 3 ]'
	fi
	keys q
	check "and ends" ended_with 0
	check "and gives $terminal back" restored
done
open_shell 80 24 NO_COLOR=1
check "it starts with NO_COLOR" start
check "and has none" test "$(colours)" -eq 0
keys q
check "and ends" ended_with 0
open_shell 80 24 TERM=no-such-terminal
rm -f "$dir/status"
type_line "$perfscope top; echo \$? >$dir/status"
check "an unknown terminal is refused" ended_with 2
check "with a reason" sees "'no-such-terminal' (TERM) is not known here"
rm -f "$dir/status"
type_line "TERM=dumb $perfscope top; echo \$? >$dir/status"
check "so is one that can only print lines" ended_with 2
check "with its reason" sees "nothing can be put in its place"

batch() { setsid "$perfscope" top "$@" </dev/null >"$dir/out" 2>"$dir/err"; }
check "batch needs no terminal" env -u TERM bash -c "setsid $perfscope top -b -n 2 -d 500ms </dev/null >$dir/out 2>$dir/err"
check "and says nothing else" test ! -s "$dir/err"
check "it prints the table twice" test "$(grep -c 'PID USER' "$dir/out")" -eq 2
check "with the spinner" grep -q spin-for-test "$dir/out"
check "without control characters" test "$(LC_ALL=C tr -d '\n -~\200-\377' <"$dir/out" | wc -c)" -eq 0
check "JSON" batch --format json -n 2 -d 500ms
check "is an object a line" python3 - "$dir/out" <<'PYTHON'
import json, sys
tops = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
windows = [top["window_s"] for top in tops]
assert len(tops) == 2 and windows[1] > 0.05, windows
# Each ends on time or late, and the second makes up for a first that was late.
assert 0.95 < sum(windows) < 10, windows
for top in tops:
    assert top["schema"] == "perfscope.top/1", top["schema"]
    assert len(top["cpus"]) >= 1, top["cpus"]
    commands = [p["command"] for p in top["processes"]]
    spinner = [p for p in top["processes"] if p["command"].startswith("spin-for-test")]
    assert len(spinner) == 1, commands
    assert spinner[0]["user"] == "root" and spinner[0]["threads"] == 1, spinner
    ms = spinner[0]["state_ms"]
    # It never sleeps: all of the window is running or waiting for a CPU.
    assert abs(ms["running"] + ms["runnable"] - 1000 * top["window_s"]) < 30, (windows, ms)
    percents = [p["cpu_percent"] for p in top["processes"]]
    assert percents == sorted(percents, reverse=True), percents
    assert any("evil\x1b[2J" in command for command in commands), commands
PYTHON
# Twice as many that want to run as there are CPUs: the rules are asked beside the recording.
for ((i = 0; i < 2 * $(nproc); i++)); do
	(exec -a crowd-for-test "$BASH" -c 'while :; do :; done') &
	crowd+=($!)
done
helpers+=("${crowd[@]}")
check "ten seconds with more work than CPUs" batch --format json -n 12
check "bring the finding" grep -q '"id":"cpu.saturation"' "$dir/out"
kill "${crowd[@]}"
check "one process" batch -b -n 1 -d 300ms -p "${helpers[0]}"
check "and no other" test "$(sed -n '/PID/,$p' "$dir/out" | sed 1d | grep -vc spin-for-test)" -eq 0
check "threads in JSON" batch --format json -H -n 1 -d 300ms
check "have numbers" grep -q '"tid":' "$dir/out"
check "a reader that leaves early is no error" bash -o pipefail -c "$perfscope top -b -d 100ms -n 3 2>$dir/err | head -n 1; [ \${PIPESTATUS[0]} -eq 0 ]"
check "quietly" test ! -s "$dir/err"
batch
check "without terminal and without -b it is refused" test $? -eq 2
check "with a hint" grep -q 'top -b' "$dir/err"
batch -b -d 1ms
check "a delay of nothing is refused" test $? -eq 2
batch -b -p 4194303
check "a process that is not there is refused" test $? -eq 2

echo "top: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
