#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# setup.sh [test]: installs what building needs, and with `test` what the tests need, on Debian 12
# or 13. Does nothing (and needs no root, no network) when all is there.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

# Packages that only matter as files, and "program=package" where any program of that name will do.
build='gcc=gcc pkg-config=pkg-config meson=meson ninja=ninja-build clang=clang llvm-strip=llvm
	bpftool=bpftool libc6-dev libbpf-dev libelf-dev libdw-dev libiberty-dev libsqlite3-dev
	libncurses-dev libyaml-dev libjansson-dev libcapstone-dev liblzma-dev zlib1g-dev libzstd-dev
	libbz2-dev libcap-dev libseccomp-dev xz=xz-utils'
tests='redis-server=redis-server redis-benchmark=redis-tools sqlite3=sqlite3 tmux=tmux
	chromium=chromium node=nodejs xmllint=libxml2-utils objdump=binutils python3=python3
	fonts-dejavu-core g++=g++ zsh=zsh fish=fish groff=groff-base
	ncurses-term procps tc=iproute2 nft=nftables fio=fio libclang-rt-dev
	qemu-system-x86_64=qemu-system-x86 busybox=busybox-static cpio=cpio depmod=kmod'

die() {
	echo "setup.sh: $*" >&2
	exit 1
}

case ${1-} in
'') wanted=$build ;;
test) wanted="$build $tests" ;;
*) die "usage: setup.sh [test]" ;;
esac

installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | sed -n 's/ installed$//p') || true
missing=
for item in $wanted; do
	package=${item#*=}
	case $item in
	*=*) command -v "${item%%=*}" >/dev/null && continue ;;
	*) echo "$installed" | grep -qx "$package" && continue ;;
	esac
	missing="$missing $package"
done
[ "$missing" ] || exit 0

command -v apt-get >/dev/null || die "there is no apt-get; install what these Debian packages hold:$missing"
[ "$(id -u)" = 0 ] || die "run it as root, to install:$missing"

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
own_policy=
finish() {
	rm -f "$log"
	[ -z "$own_policy" ] || rm -f "$policy"
}
trap finish EXIT
trap 'exit 130' INT TERM
# Debian's packages start their services; the tests want the programs alone.
if [ ! -e "$policy" ]; then
	own_policy=1
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

install() {
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 \
		--no-install-recommends install $missing >"$log" 2>&1 </dev/null
}
echo "setup.sh: installing$missing"
if ! install; then
	echo "setup.sh: reading the package lists anew"
	apt-get -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 </dev/null ||
		{ tail -n 15 "$log" >&2; die "apt-get update failed; is the network there?"; }
	install || { tail -n 15 "$log" >&2; die "apt-get install failed for:$missing"; }
fi
case " $missing " in
*" redis-server "*) ! command -v systemctl >/dev/null || systemctl -q disable redis-server 2>/dev/null || true ;;
esac
