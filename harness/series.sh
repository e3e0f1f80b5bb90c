# SPDX-License-Identifier: GPL-2.0
# What the scripts read of the series.  Sourced by lib.sh.
#
# The overlay: for mainline a file of the series is mainline/PATH if that is there, else
# PATH.  'places' says so for the scripts, harness/queue/apply for itself; both take the
# names of the list and of the folder from here.
series=series overlay=
[ $K = 6.12 ] || series=series.$K overlay=$K/
export SERIES=$series OVERLAY=$overlay

# places DIR FILE...: where these files of the series stand in a directory.
places() {
	local dir=$1 f
	shift

	for f; do
		[ -z "$overlay" ] || [ ! -f "$dir/$overlay$f" ] || f=$overlay$f
		echo "$f"
	done
}

# The patches that a list names, in their order.
patches() { sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$1"; }

# The patches of the series in a room: those of one folder, or, for 'fixes', those of
# that section, which stand by themselves.
in_room() {
	if [ "$1" = fixes ]; then
		patches <(sed -n '/^# == fixes:/,/^# == [^f]/p' "$REPO/$series")
	else
		patches "$REPO/$series" | grep -x "$1/[^/]*" || true
	fi
}

# what_patches DIR AWK: what those lines of awk print of all patches of the series there;
# 'head' says whether it is the part before the diff.
what_patches() {
	(cd "$1" && places . $(patches "$series") |
		xargs -r awk "FNR == 1 { head = 1 } /^diff --git / { head = 0 } $2")
}

# The files of the kernel that the series in a directory creates.
brought() { what_patches "$1" 'head && /^Brings: / { print $2 }'; }

# The forms that a patch of the series in a directory has for older bases.
older() { [ -n "$overlay" ] || (cd "$1" && printf '%s\n' older/*/"$2" | grep -v '\*' || true); }

# Every file that the series in a directory consists of.
series_files() {
	local p

	echo "$series"
	places "$1" $(patches "$1/$series") $(brought "$1")
	[ ! -d "$1/older" ] || for p in $(patches "$1/$series"); do older "$1" "$p"; done
}

# Every file of the kernel that the series in a directory changes or creates.
touched_files() {
	what_patches "$1" 'head && /^Brings: / { print $2 } /^diff --git / { sub(/.* b\//, ""); print }' | sort -u
}

# The folders of the KUnit suites that the series brings or, on mainline, the base has of
# the same, but for those of drivers that there are not on User Mode Linux.
x86_suites='drivers/gpu/drm/amd/amdgpu/tests
drivers/gpu/drm/vmwgfx/tests'
# i915 is as large as all of these: only with I915=1, see harness/kernels/kunit.
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
	{ brought "$REPO" | sed -n 's,/\.kunitconfig$,,p'
	  [ $K = 6.12 ] || printf '%s\n' drivers/dma-buf drivers/gpu/drm/scheduler
	} | grep -vxF "$x86_suites"$'\n'"$i915_suites"
}

# The commit 'base' below a tree's HEAD.
base_of() { git -C "$1" log -1 --format=%H --grep='^base$' HEAD 2>/dev/null; }

# The Patch: line that says a commit's place in the series.
place_of() { git -C "$1" log -1 --format=%B "$2" | sed -n 's/^Patch: *//p' | tail -1; }

# The patched tree for a test: with work that is not exported yet as it is.
tree_as_it_is() {
	local n=0

	[ ! -e "$TREE/.git" ] ||
		n=$(git -C "$TREE" rev-list --count refs/worktree/applied..HEAD 2>/dev/null) || n=0
	if [ "$n" = 0 ]; then
		"$REPO/harness/queue/tree"
	else
		say "tree: $TREE as it is: commits that are not exported, $n of them new"
	fi
}
