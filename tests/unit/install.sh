#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# install.sh BUILD-FOLDER PREFIX: `meson install` puts everything where the system looks for it.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
top=$dir$2
passed=0 failed=0

there() {
	if [ -s "$top/$1" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not installed: $1" >&2
	fi
}

meson install -C "$1" --no-rebuild --quiet --destdir "$dir" >&2

there bin/perfscope
there share/man/man1/perfscope.1
for command in $("$top/bin/perfscope" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
	there "share/man/man1/perfscope-$command.1"
done
there share/bash-completion/completions/perfscope.bash
there share/zsh/site-functions/_perfscope
there share/fish/vendor_completions.d/perfscope.fish
there lib/systemd/system/perfscope-record.service

echo "install: $passed passed, $failed failed"
test "$failed" = 0
