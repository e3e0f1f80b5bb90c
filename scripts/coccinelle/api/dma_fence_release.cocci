// SPDX-License-Identifier: GPL-2.0-only
///
/// A fence with a release callback needs its issuer until the last reference is
/// gone.  One that only frees the memory is not needed for that: without it
/// the core calls dma_fence_free(), which is kfree_rcu().
///
//# That takes memory from kmalloc() with the fence at its beginning.  There is a
//# patch only where this can be seen in the same file.
//
// Confidence: High
// Copyright: (C) 2026 dma-fence founders
// Options: --include-headers
// Keywords: dma_fence, release, kfree_rcu

virtual patch
virtual context
virtual org
virtual report

//----------------------------------------------------------
//  Detection
//----------------------------------------------------------

@issuer@
identifier ops, fn;
position p;
@@

struct dma_fence_ops ops = {
	.release = fn@p,
};

@direct@
identifier issuer.ops;
identifier free = {dma_fence_free};
position issuer.p;
@@

struct dma_fence_ops ops = {
	.release = free@p,
};

// The fence itself is what is freed.
@fence@
identifier issuer.fn, f, r;
@@

void fn(struct dma_fence *f)
{
(
	dma_fence_free(f);
|
	kfree_rcu(f, r);
|
	kfree(f);
)
}

// An object that holds it, and has it at its beginning.
@first@
identifier s, m;
@@

struct s {
	struct dma_fence m;
	...
};

@object@
identifier issuer.fn, first.s, f, o;
expression E, m;
@@

void fn(struct dma_fence *f)
{
	struct s *o = E;
(
	kfree_rcu(o, m);
|
	kfree(o);
|
	dma_fence_free(m);
)
}

// Another place in the object, another cache, a structure defined elsewhere: no
// patch.
@other depends on !fence && !object@
identifier issuer.fn, f;
expression E, m, c;
@@

void fn(struct dma_fence *f)
{
(
	kfree_rcu(E, m);
|
	kfree(E);
|
	kmem_cache_free(c, E);
|
	dma_fence_free(m);
)
}

@variable depends on !fence && !object@
identifier issuer.fn, f, o;
expression E, m, c;
type T;
@@

void fn(struct dma_fence *f)
{
	T o = E;
(
	kfree_rcu(o, m);
|
	kfree(o);
|
	kmem_cache_free(c, o);
|
	dma_fence_free(m);
)
}

// By way of call_rcu().
@later@
identifier issuer.fn, f, o, cb;
expression E, m;
type T;
@@

(
void fn(struct dma_fence *f)
{
	call_rcu(m, cb);
}
|
void fn(struct dma_fence *f)
{
	T o = E;
	call_rcu(m, cb);
}
)

@callback@
identifier later.cb, h;
expression E, c;
@@

void cb(struct rcu_head *h)
{
(
	kfree(E);
|
	kmem_cache_free(c, E);
)
}

@callback2@
identifier later.cb, h, o;
expression E, c;
type T;
@@

void cb(struct rcu_head *h)
{
	T o = E;
(
	kfree(o);
|
	kmem_cache_free(c, o);
)
}

@callback3@
identifier later.cb, h, o, o2;
expression E, E2, c;
type T, T2;
@@

void cb(struct rcu_head *h)
{
	T o = E;
	T2 o2 = E2;
(
	kfree(o2);
|
	kmem_cache_free(c, o2);
)
}

//----------------------------------------------------------
//  For context mode
//----------------------------------------------------------

@depends on context && (direct || fence || object || other || variable || callback || callback2 || callback3)@
identifier ops, fn;
position issuer.p;
@@

struct dma_fence_ops ops = {
*	.release = fn@p,
};

//----------------------------------------------------------
//  For patch mode
//----------------------------------------------------------

@depends on patch && (direct || fence || object)@
identifier issuer.ops, issuer.fn;
@@

struct dma_fence_ops ops = {
-	.release = fn,
};

@depends on patch && (fence || object)@
identifier issuer.fn;
@@

- void fn(...) { ... }

//----------------------------------------------------------
//  For org and report mode
//----------------------------------------------------------

@script:python depends on org && (direct || fence || object || other || variable || callback || callback2 || callback3)@
p << issuer.p;
fn << issuer.fn;
ops << issuer.ops;
@@

coccilib.org.print_todo(p[0], "WARNING: %s of %s only frees" % (fn, ops))

@script:python depends on report && (direct || fence || object || other || variable || callback || callback2 || callback3)@
p << issuer.p;
fn << issuer.fn;
ops << issuer.ops;
@@

coccilib.report.print_report(p[0], "WARNING: %s of %s only frees" % (fn, ops))
