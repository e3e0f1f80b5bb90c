# SPDX-License-Identifier: GPL-2.0
# What all scripts here share: which kernel it is about, paths, messages, packages, git's
# settings; the series (series.sh), Kbuild (kbuild.sh), results (results.sh).
# Sourced, never run.

# With pipefail, who stops reading early (head, grep -q, grep -m) fails its writer with
# SIGPIPE, now and then: read to the end (sed -n 1p, grep >/dev/null).
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
die() { printf '%s: error: %s\n' "${0##*/}" "$*" >&2; exit 1; }

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Which of the two kernels, in $K.  BASE is its name, or a tarball, folder or git tree
# whose Makefile tells.  To look can take a second: the scripts that this one starts
# learn it from BASE_IS.
kernel_of() {
	local makefile

	if [ -f "$1" ]; then
		makefile=$(tar -xOf "$1" --occurrence=1 --wildcards --no-wildcards-match-slash '*/Makefile' 2>/dev/null)
	elif [ -e "$1/.git" ]; then
		makefile=$(git -C "$1" show HEAD:Makefile 2>/dev/null)
	else
		makefile=$(cat "$1/Makefile" 2>/dev/null)
	fi || true
	# What is neither harness/queue/base refuses.
	if [[ $makefile =~ VERSION\ *=\ *([0-9]+) && ${BASH_REMATCH[1]} -gt 6 ]]; then echo mainline; else echo 6.12; fi
}
if [ -n "${BASE_IS:-}" ] && [ "${BASE_IS#* }" = "${BASE:-}" ]; then
	K=${BASE_IS%% *}
else
	case ${BASE:-6.12} in
	6.12|mainline)	K=${BASE:-6.12} BASE= ;;
	*)		K=$(kernel_of "$BASE") ;;
	esac
fi
export BASE BASE_IS="$K $BASE"
package=linux-source-6.12; [ $K = 6.12 ] || package=linux-source-7.3

S=$REPO/build			# everything that we make
B=$S/$K b=build/$K		# for this kernel; b: as a message says it
G=$B/base.git			# its bases, and the commits on top of them
TREE=$(realpath -m "${TREE:-$B/linux}")
SUMS=$B/sums.$(echo "$TREE" | cksum | cut -d' ' -f1)	# see export
J=${J:-$(nproc)}
LLVM=${LLVM:-}
CC=${CC:-ccache $([ -n "$LLVM" ] && echo clang || echo gcc)}
[ -z "$LLVM" ] || export LLVM	# Kbuild reads it

# Ours instead of the user's, so that the same input gives the same commits and
# the same patches everywhere.
export GIT_CONFIG_GLOBAL=$REPO/harness/gitconfig GIT_CONFIG_NOSYSTEM=1
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY
export LC_ALL=C.UTF-8
unset MAKEFLAGS MFLAGS MAKELEVEL GNUMAKEFLAGS KBUILD_OUTPUT ARCH CROSS_COMPILE

# Objects of the stock and of the patched tree share one cache: the two trees
# look the same from their build directories.  Yours, if CCACHE_DIR says so.
# Not CCACHE_DEPEND, with which ccache does not see that a bzImage's piggy.S takes in a
# kernel by .incbin: who links one gets another of the same size, a mutant maybe.
export CCACHE_DIR=${CCACHE_DIR:-$S/ccache} CCACHE_BASEDIR=$S CCACHE_NOHASHDIR=1
unset CCACHE_DEPEND

case $REPO$TREE in *[[:space:]:]*) die "Kbuild takes no path with a space or a colon: $REPO $TREE" ;; esac
mkdir -p "$B/results" "$B/tmp"
export TMPDIR=$B/tmp		# UML keeps its memory in a file there

# The packages of harness/packages for these purposes, installed if missing.
need() {
	local want missing='' p sudo=

	command -v dpkg-query >/dev/null ||
		{ say "not a Debian: bring what harness/packages lists"; return 0; }
	[[ " $* " != *" build "* || $CC != *clang* ]] || set -- "$@" clang
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
	} >"$S/packages.log" 2>&1 </dev/null ||
		die "cannot install$missing (no network? see build/packages.log): $(
			grep -m1 -E '^E: ' "$S/packages.log" || echo 'apt-get failed')"
}

# disk GB WHAT: there is that much free below build/, or an end.
disk() {
	local free

	free=$(df --output=avail -k "$S" | tail -1)
	[ "$free" -ge $(($1 * 1024 * 1024)) ] ||
		die "no disk room: $2 needs $1 GB below $S, free are $((free / 1024 / 1024)) GB"
}

# One at a time: what changes trees or bases holds the lock until its end.
lock() {
	exec 9>"$B/lock"
	flock -n 9 || { say "waiting for another make in $REPO"; flock 9; }
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
	[ $rc = 0 ] || die "$what failed: $(grep -m1 -E 'error:|undefined reference|\*\*\* |Error|^Missing: ' "$log" ||
		tail -n 1 "$log"), see $log"
}

. "$REPO/harness/series.sh"
. "$REPO/harness/kbuild.sh"
. "$REPO/harness/results.sh"
