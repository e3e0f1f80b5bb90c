# SPDX-License-Identifier: GPL-2.0
# The front door.  'make' alone says what there is; harness/ does the work.
#
#   BASE=   another 6.12.y kernel than Debian's: a tarball, a folder, a git tree
#   TREE=   another place for the patched tree than build/linux
#   J= CC=  for Kbuild (default: all cores, 'ccache gcc')

export BASE TREE J ONLY ROOM CONFIG
ifneq ($(origin CC),default)
export CC
endif

.PHONY: help demo test kunit stress tree export check issuers bench mutants coverage \
	mbox deb bisect bases outside clean
help:
	@sed -n 's/^#   /  /p; s/^\([a-z]*\):.*## /  make \1\t/p' Makefile

demo:	## the stock kernel dies, the patched one lives, side by side
	@harness/demo
test:	## KUnit and the unload test on User Mode Linux, xe and amdgpu in QEMU
	@harness/test
kunit:	## some suites, of the tree as it is: SUITE='dma_fence_lock*' KERNEL=um or kasan
	@harness/kunit
stress:	## on SMP x86-64 in QEMU: KASAN, KCSAN, PREEMPT_RT; the memory model
	@harness/stress
tree:	## the patched kernel as a git tree, a commit a patch
	@harness/apply
export:	## the commits of that tree back into patches and files
	@harness/export
check:	## checkpatch, sparse, W=1, kernel-doc, htmldocs, Coccinelle: what the series adds
	@harness/check
issuers: ## every dma_fence_ops of the tree: its lock, wait, release; converted or why not
	@harness/cocci issuers
bench:	## stock against patched: instructions an operation, bytes an object
	@harness/bench
mutants:	## wrong lines, one at a time: does a test fail?  ONLY= takes some
	@harness/mutants
coverage:	## the lines that the tests on User Mode Linux run
	@harness/coverage
mbox:	## the series as mail in build/mbox/; one room of it, or the fixes: ROOM=
	@harness/mbox
deb:	## Debian packages of the patched kernel in build/deb/; CONFIG= another .config
	@harness/deb
bisect:	## does every patch stand alone?  builds after each, KUnit after each room
	@harness/bisect
bases:	## the series on each 6.12.y that any suite of Debian serves: a table
	@harness/bases
outside: ## DKMS packages of Debian's and probes, built for stock and patched: a table
	@harness/outside
clean:	## removes build/
	@harness/clean
