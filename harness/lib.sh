# SPDX-License-Identifier: GPL-2.0
# What the scripts here share: paths, messages, packages, git's settings.
# Sourced, never run.

set -euo pipefail

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
B=$REPO/build			# everything that we make
G=$B/base.git			# the bases, and the commits on top of them
BASE=${BASE:-}
TREE=$(realpath -m "${TREE:-$B/linux}")
SUMS=$B/sums.$(echo "$TREE" | cksum | cut -d' ' -f1)	# see export
J=${J:-$(nproc)}
CC=${CC:-ccache gcc}

# Ours instead of the user's, so that the same input gives the same commits and
# the same patches everywhere.
export GIT_CONFIG_GLOBAL=$REPO/harness/gitconfig GIT_CONFIG_NOSYSTEM=1
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY
export LC_ALL=C.UTF-8
unset MAKEFLAGS MFLAGS MAKELEVEL GNUMAKEFLAGS KBUILD_OUTPUT ARCH CROSS_COMPILE

# Objects of the stock and of the patched tree share one cache: the two trees
# look the same from their build directories.  Yours, if CCACHE_DIR says so.
export CCACHE_DIR=${CCACHE_DIR:-$B/ccache} CCACHE_BASEDIR=$B CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1

case $REPO$TREE in *[[:space:]:]*) echo "error: Kbuild takes no path with a space or a colon: $REPO $TREE" >&2; exit 1 ;; esac
mkdir -p "$B/results" "$B/tmp"
export TMPDIR=$B/tmp		# UML keeps its memory in a file there

say() { printf '%s\n' "$*" >&2; }
die() { printf '%s: error: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# The packages of harness/packages for these purposes, installed if missing.
need() {
	local want missing='' p sudo=

	command -v dpkg-query >/dev/null ||
		{ say "not a Debian: bring what harness/packages lists"; return 0; }
	want=$(awk -v uses=" $* " '
		/^[^#]/ { for (i = 2; i <= NF; i++)
				if (index(uses, " " $i " ")) { print $1; next } }
		' "$REPO/harness/packages")
	for p in $want; do
		[ "$(dpkg-query -Wf '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
			missing+=" $p"
	done
	[ -n "$missing" ] || return 0

	if [ "$(id -u)" != 0 ]; then
		sudo=$(command -v sudo) ||
			die "these packages are missing and you are neither root nor is there sudo:$missing"
	fi
	say "installing$missing"
	{
		$sudo apt-get update &&
		$sudo env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y --no-install-recommends $missing
	} >"$B/packages.log" 2>&1 </dev/null ||
		die "cannot install$missing (no network? see build/packages.log): $(
			grep -m1 -E '^E: ' "$B/packages.log" || echo 'apt-get failed')"
}

# room GB WHAT: there is that much free below build/, or an end.
room() {
	local free

	free=$(df --output=avail -k "$B" | tail -1)
	[ "$free" -ge $(($1 * 1024 * 1024)) ] ||
		die "no disk room: $2 needs $1 GB below $B, free are $((free / 1024 / 1024)) GB"
}

# One at a time: whoever changes trees or bases holds the lock until its end.
lock() {
	exec 9>"$B/lock"
	flock -n 9 || { say "waiting for another make in $REPO"; flock 9; }
}

# The commit 'base' below a tree's HEAD.
base_of() { git -C "$1" log -1 --format=%H --grep='^base$' HEAD 2>/dev/null; }

# The Patch: line that says a commit's place in the series.
place_of() { git -C "$1" log -1 --format=%B "$2" | sed -n 's/^Patch: *//p' | tail -1; }

# The patches that a series file names, in their order.
patches() { sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$1"; }

# The files that a patch brings.
brings() { awk '/^diff --git /{ exit } /^Brings: /{ print $2 }' "$1"; }

# Every file that the series in a directory consists of.
series_files() {
	local p

	echo series
	for p in $(patches "$1/series"); do
		echo "$p"
		brings "$1/$p"
	done
}

# run LOG WHAT COMMAND...: a long command with its output in a log, a sign of
# life every 20 seconds (the log's last line, or the number of objects in the
# folder COUNT), and one line if it fails.
run() {
	local log=$1 what=$2 ticker rc=0
	shift 2

	say "$what (log: ${log#"$REPO/"})"
	: >"$log"
	( while sleep 20 >/dev/null 2>&1; do
		if [ -n "${COUNT:-}" ]; then
			say "  $(find "$COUNT" -name '*.o' | wc -l) objects"
		else
			say "  $(tail -n 1 "$log" | tr -d '\r' | cut -c1-76)"
		fi
	  done ) &
	ticker=$!
	trap "kill $ticker 2>/dev/null" EXIT
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	kill $ticker
	trap - EXIT
	[ $rc = 0 ] || die "$what failed: $(grep -m1 -E 'error:|undefined reference|\*\*\* |Error' "$log" ||
		tail -n 1 "$log"), see $log"
}

# kmake SOURCE OBJECTS ARGUMENTS...: Kbuild.  Fixed strings where it would put
# the time and the host, so that ccache knows everything again.
kmake() {
	local src=$1 obj=$2
	shift 2

	make -C "$src" O="$obj" CC="$CC" -j"$J" LOCALVERSION= KBUILD_BUILD_USER=series \
		KBUILD_BUILD_HOST=series KBUILD_BUILD_TIMESTAMP='2023-11-14' "$@"
}
