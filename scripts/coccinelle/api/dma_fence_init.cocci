// SPDX-License-Identifier: GPL-2.0-only
///
/// A fence whose issuer brings a lock needs that lock until one grace period
/// after it has signaled, and keeps the issuer alive for that long.  With NULL
/// it uses a lock of its own.
///
//# Not every fence can have a lock of its own just so: where fences are signaled
//# under the lock that they share, signal them after it has been dropped, and
//# where their memory is freed without a grace period, use dma_fence_free().
//# There only is a patch where one file shows that nothing else needs the lock:
//# it is a member of a structure of this file, which only initializes it and
//# gives it to fences, whose ops are here as well, without enable_signaling.
//# Elsewhere somebody may find the issuer by its lock, with container_of(), or
//# signal under it with one of the _locked functions, from another file.  Nor is
//# there one for two fences in one object.
//
// Confidence: Moderate
// Copyright: (C) 2026 dma-fence founders
// Options: --include-headers
// Keywords: dma_fence, dma_fence_init, spinlock

virtual patch
virtual context
virtual org
virtual report

//----------------------------------------------------------
//  Detection
//----------------------------------------------------------

@null@
expression F, ops, ctx, seqno;
identifier init = {dma_fence_init, dma_fence_init64};
position p;
@@

init@p(F, ops, NULL, ctx, seqno)

@bring@
expression F, ops, lock, ctx, seqno;
identifier init = {dma_fence_init, dma_fence_init64};
position p != null.p;
@@

init@p(F, ops, lock, ctx, seqno)

// Two fences in one object, which share the lock.
@null_pair@
expression O, a, b, opsa, opsb, ctx, seqno;
identifier pair = {dma_fence_init_pair, dma_fence_init_pair64};
position p;
@@

pair@p(O, a, b, opsa, opsb, NULL, ctx, seqno)

@bring_pair@
expression O, a, b, opsa, opsb, lock, ctx, seqno;
identifier pair = {dma_fence_init_pair, dma_fence_init_pair64};
position p != null_pair.p;
@@

pair@p(O, a, b, opsa, opsb, lock, ctx, seqno)

//----------------------------------------------------------
//  For context mode
//----------------------------------------------------------

@depends on context@
expression F, ops, lock, ctx, seqno;
identifier init;
position bring.p;
@@

* init@p(F, ops, lock, ctx, seqno)

@depends on context@
expression O, a, b, opsa, opsb, lock, ctx, seqno;
identifier pair;
position bring_pair.p;
@@

* pair@p(O, a, b, opsa, opsb, lock, ctx, seqno)

//----------------------------------------------------------
//  For patch mode
//----------------------------------------------------------

// What runs under the lock of a fence may rely on its being a certain one.
@under depends on patch@
identifier f = {dma_fence_signal_locked, dma_fence_signal_timestamp_locked,
		dma_fence_is_signaled_locked, dma_fence_get_status_locked,
		dma_fence_add_callback};
@@

f(...)

@enable depends on patch@
identifier ops, f;
@@

struct dma_fence_ops ops = {
	.enable_signaling = f,
};

@given depends on patch@
expression F, ctx, seqno;
identifier init = {dma_fence_init, dma_fence_init64};
identifier T, L, o;
struct T *x;
position p, l;
@@

init@p(F, &o, &x->L@l, ctx, seqno)

// A structure of a header is open to other files.
@here depends on patch@
identifier given.T;
@@

struct T {
	...
};

@table depends on patch@
identifier given.o;
@@

struct dma_fence_ops o = {
	...
};

@made depends on patch@
identifier given.L;
expression x;
position l;
@@

spin_lock_init(&x->L@l)

@used depends on patch@
identifier given.L;
expression x;
position l != {given.l, made.l};
@@

(
x->L@l
|
x.L@l
)

@found depends on patch@
identifier given.L;
type t;
expression e;
@@

container_of(e, t, L)

@depends on patch && here && table && !under && !enable && !used && !found@
expression F, ops, lock, ctx, seqno;
identifier init;
position given.p;
@@

init@p(F, ops,
-	lock
+	NULL
	, ctx, seqno)

//----------------------------------------------------------
//  For org and report mode
//----------------------------------------------------------

@script:python depends on org@
p << bring.p;
ops << bring.ops;
lock << bring.lock;
@@

coccilib.org.print_todo(p[0],
	"WARNING: a fence with %s brings its lock, %s" % (ops.replace(" ", ""), lock.replace(" ", "")))

@script:python depends on report@
p << bring.p;
ops << bring.ops;
lock << bring.lock;
@@

coccilib.report.print_report(p[0],
	"WARNING: a fence with %s brings its lock, %s" % (ops.replace(" ", ""), lock.replace(" ", "")))

@script:python depends on org@
p << bring_pair.p;
opsa << bring_pair.opsa;
opsb << bring_pair.opsb;
lock << bring_pair.lock;
@@

for ops in (opsa, opsb):
	coccilib.org.print_todo(p[0],
		"WARNING: a fence with %s brings its lock, %s" % (ops.replace(" ", ""), lock.replace(" ", "")))

@script:python depends on report@
p << bring_pair.p;
opsa << bring_pair.opsa;
opsb << bring_pair.opsb;
lock << bring_pair.lock;
@@

for ops in (opsa, opsb):
	coccilib.report.print_report(p[0],
		"WARNING: a fence with %s brings its lock, %s" % (ops.replace(" ", ""), lock.replace(" ", "")))
