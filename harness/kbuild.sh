# SPDX-License-Identifier: GPL-2.0
# How the scripts call Kbuild.  Sourced by lib.sh.

# Fixed strings where Kbuild would put the time and the host, so that ccache knows
# everything again.
fixed=(LOCALVERSION= KBUILD_BUILD_USER=series KBUILD_BUILD_HOST=series
	KBUILD_BUILD_TIMESTAMP=2023-11-14)

# kmake SOURCE OBJECTS ARGUMENTS...: Kbuild.
kmake() {
	local src=$1 obj=$2
	shift 2

	make -C "$src" O="$obj" CC="$CC" -j"$J" "${fixed[@]}" "$@"
}

# allnoconfig SOURCE OBJECTS ARCH CONFIG: configure an 'allnoconfig' with the file CONFIG on
# top.  Once that is done, the same must not touch .config again.
allnoconfig() {
	local src=$1 obj=$2 arch=$3 config=$4 o

	mkdir -p "$obj"
	if ! cmp -s "$config" "$obj/given.config"; then
		run "$obj.log" "configuring ${obj#"$REPO/"}" \
			kmake "$src" "$obj" ARCH="$arch" KCONFIG_ALLCONFIG="$config" allnoconfig
		cp "$config" "$obj/given.config"
	fi
	for o in $(grep '^CONFIG' "$config"); do
		grep -qx "$o" "$obj/.config" ||
			die "${config#"$REPO/"} wants $o, which this kernel's Kconfig does not give"
	done
}

# The x86-64 kernels with KUnit, harness/kernels/kunit-NAME.config.
smp_kernels='kasan kcsan preempt rt'

# Kbuild's Kconfig keeps these from x86-64; their code compiles there all the same.
force=(CONFIG_DRM_POWERVR=m CONFIG_DRM_VC4=m)

# The source to compile for one, below the current folder: itself, or what includes it.
# amdgpu builds amdkfd.
compiled() {
	local n=${1%/*} inc

	n=${n##*/}/${1##*/}
	inc=$(grep -rlF --include='*.c' "#include \"$n\"" "$(dirname "$(dirname "$1")")" | sed -n 1p)
	[ -n "$inc" ] || inc=$(grep -lF "#include \"${1##*/}\"" "$(dirname "$1")"/*.c | sed -n 1p)
	inc=${inc:-$1}
	echo "${inc/'/amdkfd/'//amdgpu/../amdkfd/}"
}

# The same for kunit.py.
kunit_make=(--jobs="$J" --make_options="CC=$CC" "${fixed[@]/#/--make_options=}")

# program SOURCE OUT FILE...: a static program from files of harness/kernels/init.  It
# talks to the base's uAPI: one set of headers serves all kernels.
program() {
	local src=$1 out=$2
	shift 2

	[ -e "$B/headers/usr/include/drm/vgem_drm.h" ] ||
		run "$B/headers.log" "installing the uAPI headers" \
			kmake "$src" "$B/headers" ARCH=x86 headers_install
	$CC -static -O2 -Wall -I "$B/headers/usr/include" -o "$out" "${@/#/$REPO/harness/kernels/init/}" ||
		die "cannot compile harness/kernels/init/$1"
}

