#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# backup.sh: one stage of a pipeline takes all of a CPU, and nobody waits for what comes out.
while :; do
	tar cf - /usr/bin /usr/lib 2>/dev/null | gzip > /dev/null
done
