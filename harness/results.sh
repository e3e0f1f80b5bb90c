# SPDX-License-Identifier: GPL-2.0
# What the scripts count, and what a log may not say.  Sourced by lib.sh.

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
		if [ -n "${ONLY:-}" ]; then cat; else tee "$B/results/${0##*/}.summary"; fi	# for make mbox
	[ $failed = 0 ] && [ $passed != 0 ]
}

# whole TARGET RESULT: that was a whole run of something that CI does not run, or not
# whole: its line in harness/runs, which is committed and which make mbox reads.
whole() {
	local runs=$REPO/harness/runs commit

	commit=$(git -C "$REPO" rev-parse -q --verify --short=12 HEAD 2>/dev/null) || return 0
	[ -z "$(git -C "$REPO" status --porcelain -uno -- ':!harness/runs')" ] || commit+=+changes
	{ grep -vE "^$K	$1	" "$runs"; printf '%s\t' "$K" "$1" "$(date -u +%F)" "$commit"; echo "$2"; } >"$B/tmp/runs"
	{ grep '^#' "$B/tmp/runs"; grep -v '^#' "$B/tmp/runs" | sort; } >"$runs"
	say "harness/runs has this run: commit it"
}
# whole_results TARGET [WORDS]: results, and the same for harness/runs.
whole_results() {
	local rc=0

	results || rc=$?
	whole "$1" "$passed passed, $failed failed, $skipped skipped${2:-}"
	return $rc
}

# entries FILE: of a list of what may be, the lines for this kernel: what follows the first
# column.
entries() { awk -v k="$K" -F'\t' '!/^(#|$)/ && ($1 == "*" || $1 == k) { print substr($0, length($1) + 2) }' "$1"; }

# What no test may leave in a log.  A warning that a suite causes on purpose
# stands in harness/prove/expected-warnings, or in the file EXPECTED, with the reason.
reports() {
	awk '/still has locks held!/ { w = $0; next } w && / at: / { print w, $0; w = ""; next } { print }' "$1" |
		sed '/begin of expected warning/,/end of expected warning/{/WARNING: /d}' |
		grep -aE 'WARNING: |BUG: |ODEBUG: |INFO: (task |trying |rcu)|Kernel panic|refcount_t: |unreferenced object' |
		grep -avE -f <(for f in "$REPO/harness/prove/expected-warnings" ${EXPECTED:+"$EXPECTED"}; do
				entries "$f" | cut -f1
			       done) || true
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
# build/<base>/results/NAME.json, and look at that kernel's log.
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
