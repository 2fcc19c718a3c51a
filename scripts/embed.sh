#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# embed.sh NAME FILE [NAME FILE...]: prints C that makes each FILE part of the program, as
#   extern const char NAME[];          its bytes, with a NUL behind them
#   extern const unsigned long NAME_size;
set -eu
while [ $# -gt 0 ]; do
	name=$1
	file=$(realpath "$2")
	size=$(wc -c <"$file")
	shift 2
	# The checksum makes other C of other bytes: else an object of the same size would be taken for the one before.
	cat <<-C
	/* $(cksum <"$file") */
	__asm__(".section .rodata\n"
		".global $name\n.balign 16\n$name:\n.incbin \"$file\"\n.byte 0\n"
		".global ${name}_size\n.balign 8\n${name}_size:\n.quad $size\n"
		".previous\n");
	C
done
