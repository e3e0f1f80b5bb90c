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
identifier init = {dma_fence_init, dma_fence_init64};
position p;
@@

init@p(F, ops, NULL, c, seqno)

@own_pair@
expression O, a, b, opsa, opsb, c, seqno;
identifier pair = {dma_fence_init_pair, dma_fence_init_pair64};
position p;
@@

pair@p(O, a, b, opsa, opsb, NULL, c, seqno)

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

@script:python depends on report@
p << own_pair.p;
opsa << own_pair.opsa;
opsb << own_pair.opsb;
@@
for ops in (opsa, opsb):
	coccilib.report.print_report(p[0], "own %s" % ops.replace(" ", ""))
