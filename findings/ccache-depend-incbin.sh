#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# ccache in its depend mode gives back an old object when a file has changed that an
# assembler source takes in by .incbin.  In its other modes it finds the directive and
# leaves such sources to the compiler.
#
# A kernel's bzImage takes in its compressed vmlinux that way (piggy.S).  With
# CCACHE_DEPEND in the environment one that was changed and built again may boot the
# kernel from before.  The reason: the depend mode trusts the list of files that gcc
# writes, -MD, which is the preprocessor's: the assembler reads the file later.
#
# Seen with ccache 4.7.5 of Debian bookworm.

set -euo pipefail
package=ccache version=4.8+really4.7.5-1

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
fail() { echo "changed: $*"; exit 1; }

apt-get -q download "$package=$version" libhiredis0.14=0.14.1-3 >log 2>&1 ||
	{ echo "cannot fetch $package $version: $(grep -m1 '^E: ' log)"; exit 2; }
for deb in *.deb; do dpkg-deb -x "$deb" root; done
export LD_LIBRARY_PATH=$(dirname "$(find "$PWD/root" -name 'libhiredis.so*' | head -1)")
ccache=$PWD/root/usr/bin/ccache
$ccache --version | sed -n 1p

export CCACHE_DIR=$dir/cache
unset CCACHE_DEPEND CCACHE_NODEPEND
printf '.section .rodata\n.incbin "data"\n' >piggy.S

# build DATA: what the object holds after the file has become DATA.
build() {
	echo "$1" >data
	$ccache gcc -MD -MF piggy.d -c piggy.S -o piggy.o
	objcopy -O binary -j .rodata piggy.o out && cat out
}

first=$(build one) second=$(build two)
echo "default mode:  '$first', then '$second'"
[ "$first $second" = 'one two' ] || fail 'the default mode gave back an old object'

export CCACHE_DEPEND=1
first=$(build one) second=$(build two)
echo "depend mode:   '$first', then '$second'"
! grep -q data piggy.d || fail 'gcc lists what .incbin takes in'
[ "$first $second" = 'one one' ] || fail 'the depend mode notices that the file has changed'
echo 'as seen before: the depend mode does not know of .incbin'
