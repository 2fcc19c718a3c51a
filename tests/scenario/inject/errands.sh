#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# errands.sh alone|crew|now-and-then: a script that has other programs do what takes them no time: by itself; in three workers, through
# pipes. Now and then: well.
echo errands > /proc/$$/comm

work() {
	while :; do
		name=$(echo "$RANDOM" | tr 0-9 a-j | cut -c1-3)
	done
}

case $1 in
alone)
	while :; do /bin/true; done
	;;
crew)
	trap 'kill 0' EXIT
	for _ in 1 2 3; do work & done
	wait
	;;
now-and-then)
	while :; do
		/bin/true
		sleep 0.04
	done
	;;
esac
