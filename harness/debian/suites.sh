# SPDX-License-Identifier: GPL-2.0
# Debian's suites, by their names, through an apt of our own below build/: the machine's
# sources, lists and packages stay as they are.  Sourced after lib.sh, never run.

# The suites that serve $package.
suites=trixie-backports
[ $K = mainline ] || suites='bookworm bookworm-security bookworm-backports trixie trixie-security trixie-backports sid'

# mirror SUITE: where the machine's own sources find Debian, for a suite that they need
# not have.
mirror() {
	local all main security

	all=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
		grep -E ' (old)*(stable|testing|unstable|sid|[a-z]+)(-(updates|backports|security))?$') || true
	main=$(awk '$1 ~ /debian\/$/ && $2 !~ /-security$/ { print $1; exit }' <<<"$all")
	security=$(awk '$1 ~ /debian-security\/$/ { print $1; exit }' <<<"$all")
	[ -n "$main" ] || main=${security/%debian-security\//debian/}
	[ -n "$main" ] || die "apt's sources name no mirror of Debian"
	case $1 in
	*-security) echo "${security:-${main%debian/}debian-security/}" ;;
	*)	echo "$main" ;;
	esac
}

# minimal SUITE DIR PACKAGES LOG: a minimal Debian of that suite, with its updates and with
# these packages (a comma between), in a new folder.  It needs root.
minimal() {
	local suite=$1 dir=$2 packages=$3 log=$4 sources

	sources=("deb $(mirror "$suite") $suite main")
	case $suite in
	sid)	;;
	*)	sources+=("deb $(mirror "$suite") $suite-updates main" "deb $(mirror "$suite-security") $suite-security main") ;;
	esac
	mkdir "$dir"
	run "$log" "making a minimal Debian $suite" \
		mmdebstrap --mode=root --variant=minbase --include="$packages" "$suite" "$dir" "${sources[@]}"
}

# apt_of DIR COMPONENTS SUITE...: an apt there that knows these suites; then 'apt
# COMMAND...' runs one with it.  It fails if no list is there, now or from an earlier
# time, and leaves the reason in build/apt.why.
apt_of() {
	local a=$1 components=$2 s
	shift 2

	command -v apt-get >/dev/null || die 'this takes packages from Debian by apt, which is not here'
	mkdir -p "$a"/etc/apt/{apt.conf.d,preferences.d,trusted.gpg.d} "$a"/var/lib/dpkg \
		"$a"/var/{lib/apt/lists,cache/apt/archives}/partial
	: >"$a/var/lib/dpkg/status"
	for s in "$@"; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror "$s") $s $components"
	done >"$a/sources"
	cmp -s "$a/sources" "$a/etc/apt/sources.list" || cp "$a/sources" "$a/etc/apt/sources.list"
	# the machine's proxies, but not its hooks; a lost network is to end it in a minute
	{ apt-config dump Acquire
	  echo 'Acquire::Languages "none"; Acquire::PDiffs "false"; Acquire::Retries "2";'
	  echo 'Acquire::http::Timeout "20"; Acquire::https::Timeout "20";'
	  echo "Dir \"$a\";"; } >"$a/apt.conf"
	APT_OF=$a
	apt apt-get -q update >"$a/update.log" 2>&1 ||
		ls "$a"/var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || {
			echo "apt reads no list of Debian's (no network?): $(grep -m1 ^E: "$a/update.log" || tail -n 1 "$a/update.log")" >"$S/apt.why"
			return 1
		}
}
apt() { APT_CONFIG=$APT_OF/apt.conf "$@"; }

# sources: every $package that the apt of apt_of knows, a line each: version and suites,
# newest first.
sources() {
	apt apt-cache madison $package |
		awk '/Packages/ { split($6, s, "/"); if (!($3 in in_)) n[++k] = $3; in_[$3] = in_[$3] (in_[$3] ? "," : "") s[1] }
			END { for (i = 1; i <= k; i++) print n[i], in_[n[i]] }' | sort -k1,1Vr
}

# source_of VERSION: fetch that one, as Debian's package would install it; print the
# tarball's path, or fail as apt_of does.  What was fetched before is there still, and only
# whole.
source_of() {
	local v=$1 d=$S/bases tar=$S/bases/linux-source-$1.tar.xz log=$S/bases/$1.log

	mkdir -p "$d"
	if [ ! -s "$tar" ]; then
		disk 1 'a source package'
		rm -rf "$d/deb"
		mkdir -p "$d/deb"
		say "${0##*/}: fetching $package $v (150 MB)"
		{ (cd "$d/deb" && apt apt-get -q download "$package=$v") &&
			dpkg-deb --fsys-tarfile "$d"/deb/*.deb |
				tar -xO "./usr/src/$package.tar.xz" >"$tar.new"; } >"$log" 2>&1 &&
			mv "$tar.new" "$tar" || {
				rm -rf "$d/deb" "$tar.new"
				echo "$package $v cannot be fetched (no network?): $(grep -m1 ^E: "$log" || tail -n 1 "$log")" >"$S/apt.why"
				return 1
			}
		rm -rf "$d/deb" "$log"
	fi
	echo "$tar"
}
