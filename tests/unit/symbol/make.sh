#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make.sh SAMPLE.c OUTDIR STAMP CC...: the sample in every shape that symbols come in, with what
# other tools say about it (sample.nm, sample.plt, sample.inlined).
set -eu
source=$1 out=$2 stamp=$PWD/$3
shift 3
mkdir -p "$out"
cd "$out"
"$@" -O2 -g -fno-omit-frame-pointer -Wl,--build-id=sha1 -pie -fPIE -o sample "$source"
nm --defined-only sample >sample.nm
objdump -d -j .plt -j .plt.sec -j .plt.got sample 2>/dev/null |
	sed -n 's/^\([0-9a-f]*\) <\(.*@plt\)>:$/\1 \2/p' >sample.plt
# The first address that belongs to the innermost inlined function.
start=$(sed -n 's/^\([0-9a-f]*\) . outer$/\1/p' sample.nm)
: >sample.inlined
i=0
while [ $i -lt 128 ]; do
	address=$(printf %x $((0x$start + i)))
	if addr2line -e sample -f -i "0x$address" | head -n 1 | grep -qx innermost; then
		echo "$address" >sample.inlined
		break
	fi
	i=$((i + 1))
done
objcopy --only-keep-debug sample sample.debug
strip -o stripped sample
objcopy --add-gnu-debuglink=sample.debug stripped linked
# Another program's debug file under the name that the link gives.
mkdir -p wrong
cp linked wrong/linked
cp sample.debug wrong/sample.debug
printf x >>wrong/sample.debug
# What Fedora calls mini debug info: function symbols that .dynsym lacks, packed into the file.
echo quiet_helper >mini.keep
objcopy -S --keep-symbols=mini.keep sample.debug mini.debug
xz -k -f mini.debug
objcopy --add-section .gnu_debugdata=mini.debug.xz stripped packed
# What is left of a stripped program of Go: its runtime's own list, here of one function of four bytes.
number() { # SIZE VALUE, lowest byte first
	i=0
	while [ $i -lt "$1" ]; do
		printf "\\$(printf %03o $((($2 >> (8 * i)) & 255)))"
		i=$((i + 1))
	done
}
helper=0x$(sed -n 's/^\([0-9a-f]*\) . quiet_helper$/\1/p' sample.nm)
list() { # CODE START, of the function in the code
	number 4 0xfffffff0
	number 4 0x08010000
	for value in 1 0 "$1" 72 0 0 0 96; do
		number 8 "$value"
	done
	printf 'main.sealSession\0'
	number 7 0
	number 4 "$2"
	number 4 16
	number 4 $(($2 + 4))
	number 4 0
	number 8 0
}
list "$helper" 0 >go.list
objcopy --add-section .gopclntab=go.list stripped go
# The same in a position-independent one, by Go's linker and by C's, which lays it behind other data.
objcopy --add-section .data.rel.ro.gopclntab=go.list --set-section-flags .data.rel.ro.gopclntab=readonly stripped go-pie 2>/dev/null # it lies in no segment
{ number 64 0 && cat go.list; } >go.data
echo built >go.built
objcopy -R .data.rel.ro stripped go-bare
objcopy --add-section .data.rel.ro=go.data --set-section-flags .data.rel.ro=readonly --add-section .go.buildinfo=go.built go-bare go-linked 2>/dev/null
# By C's linker and a Go that does not say where its code begins: start files come before it.
text=0x$(objdump -h -j .text stripped | awk '$2 == ".text" { print $4 }')
list 0 $((helper - text)) >go.late
objcopy --add-section .gopclntab=go.late stripped go-unplaced
touch "$stamp"
