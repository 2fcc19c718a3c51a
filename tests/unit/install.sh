#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# install.sh BUILD-FOLDER PREFIX: `meson install` puts everything where the system looks for it.
build=$1
prefix=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

there() {
	if [ -s "$dir/usr/$1" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not installed: $1" >&2
	fi
}

meson install` puts everything where the system looks for it.
build=$1
prefix=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

there() {
	if [ -s "$dir/usr/$1" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not installed: $1" >&2
	fi
}

prefix=$(meson introspect "$build" --buildoptions |
	python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
meson install -C "$build" --no-rebuild --quiet --destdir "$dir/dest" >&2 || echo "meson install failed" >&2
ln -s "$dir/dest$prefix" "$dir/usr"

there bin/perfscope
there share/man/man1/perfscope.1
for command in $("$dir/usr/bin/perfscope" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
	there "share/man/man1/perfscope-$command.1"
done
there share/bash-completion/completions/perfscope.bash
there share/zsh/site-functions/_perfscope
there share/fish/vendor_completions.d/perfscope.fish

echo "install: $passed passed, $failed failed"
test "$failed" = 0
