# SPDX-License-Identifier: GPL-2.0
# The front door.  'make' alone says what there is; harness/ does the work.
#
#   BASE=   6.12 (the default), mainline, or a tarball, folder or git tree of either
#   TREE=   another place for the patched tree than build/<base>/linux
#   J= CC= LLVM=1  for Kbuild (default: all cores, 'ccache gcc')

export BASE TREE J LLVM ONLY ROOM CONFIG
ifneq ($(origin CC),default)
export CC
endif

.PHONY: help demo test kunit stress tree export check issuers bench mutants coverage \
	mbox deb bisectable bases outside clean
help:
	@sed -n 's/^#   /  /p; s/^\([a-z]*\):.*## /  make \1\t/p' Makefile

demo:	## the stock kernel dies, the patched one lives, side by side
	@harness/prove/demo
test:	## KUnit and the unload test on User Mode Linux, xe and amdgpu in QEMU
	@harness/prove/test
kunit:	## some suites, of the tree as it is: SUITE='dma_fence_lock*' KERNEL=um or kasan
	@harness/kernels/kunit
stress:	## on SMP x86-64 in QEMU: KASAN, KCSAN, PREEMPT_RT; the memory model
	@harness/prove/stress
tree:	## the patched kernel as a git tree, a commit a patch
	@harness/queue/tree
export:	## the commits of that tree back into patches and files
	@harness/queue/export
check:	## checkpatch, sparse, W=1, kernel-doc, htmldocs, Coccinelle: what the series adds
	@harness/review/check
issuers: ## every dma_fence_ops of the tree: its lock, wait, release; converted or why not
	@harness/review/cocci issuers
bench:	## stock against patched: instructions an operation, bytes an object
	@harness/bench/bench
mutants:	## wrong lines, one at a time: does a test fail?  ONLY= takes some
	@harness/prove/mutants
coverage:	## the lines that the tests on User Mode Linux run
	@harness/prove/coverage
mbox:	## the series as mail in build/<base>/mbox/; one folder of it, or the fixes: ROOM=
	@harness/review/mbox
deb:	## Debian packages of the patched kernel in build/<base>/deb/; CONFIG= another .config
	@harness/debian/deb
bisectable: ## does every patch stand alone?  builds after each, KUnit after each folder
	@harness/queue/bisectable
bases:	## the series on each kernel that any suite of Debian serves: a table
	@harness/queue/bases
outside: ## DKMS packages of Debian's and probes, built for stock and patched: a table
	@harness/debian/outside
clean:	## removes build/
	@harness/queue/clean
