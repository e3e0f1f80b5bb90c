// SPDX-License-Identifier: GPL-2.0-only
// For make issuers: every dma_fence_ops, its wait and release, and who is initialized
// without a lock.

virtual report

@table@
identifier o;
position p;
@@

struct dma_fence_ops o@p = { ... };

@wait@
identifier table.o, fn;
position p;
@@

struct dma_fence_ops o@p = {
	.wait = fn,
};

@release@
identifier table.o, fn;
position p;
@@

struct dma_fence_ops o@p = {
	.release = fn,
};

@own@
expression F, ops, c, seqno;
identifier init = {dma_fence_init, dma_fence_init64,
		   dma_fence_init_first, dma_fence_init_second};
position p;
@@

init@p(F, ops, NULL, c, seqno)

@script:python depends on report@
p << table.p;
o << table.o;
@@
coccilib.report.print_report(p[0], "ops %s" % o)

@script:python depends on report@
p << wait.p;
o << table.o;
fn << wait.fn;
@@
coccilib.report.print_report(p[0], "wait %s %s" % (o, fn))

@script:python depends on report@
p << release.p;
o << table.o;
fn << release.fn;
@@
coccilib.report.print_report(p[0], "release %s %s" % (o, fn))

@script:python depends on report@
p << own.p;
ops << own.ops;
@@
coccilib.report.print_report(p[0], "own %s" % ops.replace(" ", ""))
