// SPDX-License-Identifier: GPL-2.0-only
///
/// A reader in an RCU read-side section may look at a fence that is just being
/// released, and take the lock inside of it.  So its memory is freed after a
/// grace period, with dma_fence_free() or kfree_rcu().
///
//# Memory of a cache with SLAB_TYPESAFE_BY_RCU is not meant: it stays a fence.
//# Such a cache is looked for in the same file.
//
// Confidence: Moderate
// Copyright: (C) 2026 dma-fence founders
// Comments: before dma_fence_init() a fence may be freed at once
// Options: --include-headers
// Keywords: dma_fence, kfree, kfree_rcu, dma_fence_free

virtual patch
virtual context
virtual org
virtual report

//----------------------------------------------------------
//  Detection
//----------------------------------------------------------

@issuer@
identifier ops, fn;
@@

struct dma_fence_ops ops = {
	.release = fn,
};

// The fence, or what it is in, in its release.
@released exists@
identifier issuer.fn, f;
position p;
@@

fn(struct dma_fence *f)
{
... when any
\(kfree@p\|kvfree@p\|kfree_sensitive@p\)(f);
... when any
}

@object exists@
identifier issuer.fn, s, f, o;
expression E;
position p;
@@

fn(struct dma_fence *f)
{
... when any
struct s *o = \(E(f)\|container_of(f, ...)\);
... when any
\(kfree@p\|kvfree@p\|kfree_sensitive@p\)(o);
... when any
}

@typesafe@
@@

SLAB_TYPESAFE_BY_RCU

@cache depends on !typesafe exists@
identifier issuer.fn, f;
expression c, E;
position p;
@@

fn(struct dma_fence *f)
{
... when any
kmem_cache_free@p(c, E);
... when any
}

// By hand, where dma_fence_put() belongs.
@initialized exists@
expression F, E;
identifier init = {dma_fence_init, dma_fence_init64};
position p;
@@

init(F, ...);
... when != F = E
\(kfree@p\|kvfree@p\|kfree_sensitive@p\)(F)

//----------------------------------------------------------
//  For context mode
//----------------------------------------------------------

@depends on context@
identifier free;
expression E;
position released.p;
@@

* free@p(E)

@depends on context@
identifier free;
expression E;
position object.p;
@@

* free@p(E)

@depends on context@
identifier free;
expression c, E;
position cache.p;
@@

* free@p(c, E)

@depends on context@
identifier free;
expression E;
position initialized.p;
@@

* free@p(E)

//----------------------------------------------------------
//  For patch mode
//----------------------------------------------------------

// The member of the object that is the fence.
@member@
identifier object.s, m;
@@

struct s {
	...
	struct dma_fence m;
	...
};

@depends on patch@
identifier object.o, member.m;
identifier free;
position object.p;
@@

- free@p(o)
+ kfree_rcu(o, m.rcu)

@depends on patch@
identifier issuer.fn, f;
@@

fn(struct dma_fence *f)
{
<...
- \(kfree\|kvfree\|kfree_sensitive\)(f);
+ dma_fence_free(f);
...>
}

@depends on patch exists@
expression F, E;
identifier init = {dma_fence_init, dma_fence_init64};
@@

init(F, ...);
... when != F = E
- \(kfree\|kvfree\|kfree_sensitive\)(F);
+ dma_fence_free(F);

//----------------------------------------------------------
//  For org and report mode
//----------------------------------------------------------

@script:python depends on org@
p << released.p;
@@

coccilib.org.print_todo(p[0], "WARNING: a fence freed without a grace period")

@script:python depends on report@
p << released.p;
@@

coccilib.report.print_report(p[0], "WARNING: a fence freed without a grace period")

@script:python depends on org@
p << object.p;
@@

coccilib.org.print_todo(p[0], "WARNING: a fence freed without a grace period")

@script:python depends on report@
p << object.p;
@@

coccilib.report.print_report(p[0], "WARNING: a fence freed without a grace period")

@script:python depends on org@
p << cache.p;
@@

coccilib.org.print_todo(p[0], "WARNING: a fence freed without a grace period")

@script:python depends on report@
p << cache.p;
@@

coccilib.report.print_report(p[0], "WARNING: a fence freed without a grace period")

@script:python depends on org@
p << initialized.p;
@@

coccilib.org.print_todo(p[0], "WARNING: a fence freed without a grace period")

@script:python depends on report@
p << initialized.p;
@@

coccilib.report.print_report(p[0], "WARNING: a fence freed without a grace period")
