# SPDX-License-Identifier: GPL-2.0
# What the scripts here share: paths, messages, packages, git's settings.
# Sourced, never run.

# With pipefail, who stops reading early (head, grep -q, grep -m) fails its writer with
# SIGPIPE, now and then: read to the end (sed -n 1p, grep >/dev/null).
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
# Not CCACHE_DEPEND, with which ccache does not see that a bzImage's piggy.S takes in a
# kernel by .incbin: who links one gets another of the same size, a mutant maybe.
export CCACHE_DIR=${CCACHE_DIR:-$B/ccache} CCACHE_BASEDIR=$B CCACHE_NOHASHDIR=1
unset CCACHE_DEPEND

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

# The patched tree for a test: with work that is not exported yet as it is.
tree_as_it_is() {
	local n=0

	[ ! -e "$TREE/.git" ] ||
		n=$(git -C "$TREE" rev-list --count refs/worktree/applied..HEAD 2>/dev/null) || n=0
	if [ "$n" = 0 ]; then
		"$REPO/harness/apply"
	else
		say "tree: $TREE as it is: commits that are not exported, $n of them new"
	fi
}

# The commit 'base' below a tree's HEAD.
base_of() { git -C "$1" log -1 --format=%H --grep='^base$' HEAD 2>/dev/null; }

# The Patch: line that says a commit's place in the series.
place_of() { git -C "$1" log -1 --format=%B "$2" | sed -n 's/^Patch: *//p' | tail -1; }

# The patches that a series file names, in their order.
patches() { sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$1"; }

# The patches of the series in a room: those of one folder, or, for 'fixes', those of
# that section, which stand by themselves.
in_room() {
	if [ "$1" = fixes ]; then
		patches <(sed -n '/^# == fixes:/,/^# == [^f]/p' "$REPO/series")
	else
		patches "$REPO/series" | grep -x "$1/[^/]*" || true
	fi
}

# The files that a patch brings.
brings() { awk '/^diff --git /{ exit } /^Brings: /{ print $2 }' "$1"; }

# The folders of the KUnit suites that the series brings, but for those of drivers that
# there are not on User Mode Linux.
x86_suites='drivers/gpu/drm/amd/amdgpu/tests
drivers/gpu/drm/vmwgfx/tests'
# i915 is as large as all of these: only with I915=1, see harness/kunit.
i915_suites=drivers/gpu/drm/i915/tests
# Those of drivers of which the series changes little run there only: on x86-64 they
# would be most of the build.
uml_suites='drivers/gpu/drm/etnaviv/tests
drivers/gpu/drm/imagination/tests
drivers/gpu/drm/nouveau/tests
drivers/gpu/drm/panthor/tests
drivers/gpu/drm/qxl/tests
drivers/gpu/drm/radeon/tests'
brought_suites() {
	what_patches "$REPO" 'head && /^Brings: / { print $2 }' | sed -n 's,/\.kunitconfig$,,p' | grep -vxF "$x86_suites"$'\n'"$i915_suites"
}

# The forms that a patch of the series in a directory has for older bases.
older() { (cd "$1" && printf '%s\n' older/*/"$2" | grep -v '\*' || true); }

# what_patches DIR AWK: what those lines of awk print of all patches of the series there;
# 'head' says whether it is the part before the diff.
what_patches() {
	(cd "$1" && patches series | xargs -r awk "FNR == 1 { head = 1 } /^diff --git / { head = 0 } $2")
}

# Every file that the series in a directory consists of.
series_files() {
	local p

	echo series
	patches "$1/series"
	what_patches "$1" 'head && /^Brings: / { print $2 }'
	[ ! -d "$1/older" ] || for p in $(patches "$1/series"); do older "$1" "$p"; done
}

# Every file of the kernel that the series in a directory changes or creates.
touched_files() {
	what_patches "$1" 'head && /^Brings: / { print $2 } /^diff --git / { sub(/.* b\//, ""); print }' | sort -u
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

# program SOURCE OUT FILE...: a static program from files of harness/init.  It
# talks to the base's uAPI: one set of headers serves all kernels.
program() {
	local src=$1 out=$2
	shift 2

	[ -e "$B/headers/usr/include/drm/vgem_drm.h" ] ||
		run "$B/headers.log" "installing the uAPI headers" \
			kmake "$src" "$B/headers" ARCH=x86 headers_install
	$CC -static -O2 -Wall -I "$B/headers/usr/include" -o "$out" "${@/#/$REPO/harness/init/}" ||
		die "cannot compile harness/init/$1"
}

# The results of make test and make stress, of their parts, and of CI.
passed=0 failed=0 skipped=0
not_ok() { echo "not ok: $*"; failed=$((failed + 1)); }
ok() { echo "ok: $*"; passed=$((passed + 1)); }
# part NAME COMMAND...: run what ends with such results, and count them here.
part() {
	local name=$1 log=$B/tmp/part-$1 line rc=0
	shift

	echo "== $name"
	# make's own 'Error 1' must not be the last line of what we count
	"$@" 2>&1 | grep --line-buffered -v '^make: \*\*\*' | tee "$log" || rc=1
	line=$(tail -n 1 "$log" | grep -E '^[0-9]+ passed, [0-9]+ failed') || line='0 passed, 0 failed'
	set -- ${line//,/}
	passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + ${5:-0}))
	# It failed and says not what: died on its way.
	[ $rc = 0 ] || [ "$3" != 0 ] || not_ok "$name did not reach its end"
}
results() {
	echo "$passed passed, $failed failed$([ $skipped = 0 ] || echo ", $skipped skipped")" |
		tee "$B/results/${0##*/}.summary"	# for the cover letter of make mbox
	[ $failed = 0 ] && [ $passed != 0 ]
}

# What no test may leave in a log.  A warning that a suite causes on purpose
# stands in harness/expected-warnings, or in the file EXPECTED, with the reason.
reports() {
	awk '/still has locks held!/ { w = $0; next } w && / at: / { print w, $0; w = ""; next } { print }' "$1" |
		sed '/begin of expected warning/,/end of expected warning/{/WARNING: CPU: /d}' |
		grep -aE 'WARNING: |BUG: |ODEBUG: |INFO: (task |trying |rcu)|Kernel panic|refcount_t: |unreferenced object' |
		grep -avE -f <(sed -e '/^#/d' -e '/^$/d' "$REPO/harness/expected-warnings" \
				${EXPECTED:+"$EXPECTED"}) || true
}
clean_log() {
	local bad

	bad=$(reports "$1")
	if [ -n "$bad" ]; then
		not_ok "reports in ${1#"$REPO/"}:"
		echo "$bad" | sed -n 1,5p | sed 's/^/    /'
	else
		ok "nothing from a checker of the kernel in ${1#"$REPO/"}"
	fi
}

# kunit_result NAME DIR WHAT: count what kunit.py, which built in DIR, has left in
# build/results/NAME.json, and look at that kernel's log.
kunit_result() {
	local json=$B/results/$1.json log=$B/results/$1.log p f s

	cp "$2/test.log" "$log" 2>/dev/null || die "$3: the kernel did not run, see $B/results/$1.txt"
	read -r p f s < <(python3 - "$json" 2>/dev/null <<-'PY' || echo 0 0 0
	import json, sys
	n = {}
	def walk(g):
	    for c in g['test_cases']:
	        n[c['status']] = n.get(c['status'], 0) + 1
	    for s in g['sub_groups']:
	        walk(s)
	walk(json.load(open(sys.argv[1])))
	print(n.get('PASS', 0), n.get('FAIL', 0) + n.get('ERROR', 0), n.get('SKIP', 0))
	PY
	)
	grep -aE '^ *not ok ' "$log" || true
	echo "$3: $p passed, $f failed, $s skipped"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	[ "$p" != 0 ] || not_ok "$3: no test passed"
	# A halt, or all suites: the last messages of a PREEMPT_RT kernel get lost.
	awk '/reboot: (System halted|Restarting system)/ { e = 1 } /^1\.\./ { all = substr($1, 4) }
	     /^(not )?ok [0-9]/ { n = $1 == "not" ? $3 : $2 } END { exit !(e || (all && n == all)) }' "$log" ||
		not_ok "$3: this kernel did not reach its end; last: '$(grep -aE '# Subtest|(^| )ok [0-9]|dma-buf: Running' "$log" |
			tail -1 | sed 's/^ *//')', see ${log#"$REPO/"}"
	clean_log "$log"
}
