// SPDX-License-Identifier: GPL-2.0-only
///
/// The lock of a fence may be inside of it, or its issuer's.  Only
/// dma_fence_spinlock() knows; take it with dma_fence_lock_irqsave() and
/// dma_fence_unlock_irqrestore().
///
// Confidence: High
// Copyright: (C) 2026 dma-fence founders
// Comments: the files named below are where the two members belong
// Options: --include-headers
// Keywords: dma_fence, extern_lock, inline_lock

virtual patch
virtual context
virtual org
virtual report

//----------------------------------------------------------
//  Detection
//----------------------------------------------------------

// Only struct dma_fence has members of these names, whatever E may be.
@byname@
expression E;
identifier l = {extern_lock, inline_lock};
position p : script:python() {
	not p[0].file.endswith(("drivers/dma-buf/dma-fence.c",
				"include/linux/dma-fence.h"))
};
@@

(
E->l@p
|
E.l@p
)

// As extern_lock was called before.  This is F->lock as well, see standard.iso.
@old@
struct dma_fence f;
position p;
@@

f.lock@p

//----------------------------------------------------------
//  For context mode
//----------------------------------------------------------

@depends on context@
expression E;
identifier l;
position byname.p;
@@

(
* E->l@p
|
* E.l@p
)

@depends on context@
expression E;
position old.p;
@@

(
* E->lock@p
|
* E.lock@p
)

//----------------------------------------------------------
//  For patch mode
//----------------------------------------------------------

@depends on patch@
expression E, flags;
position byname.p;
@@

(
- spin_lock_irqsave(E->extern_lock@p, flags)
+ dma_fence_lock_irqsave(E, flags)
|
- spin_unlock_irqrestore(E->extern_lock@p, flags)
+ dma_fence_unlock_irqrestore(E, flags)
|
- lockdep_assert_held(E->extern_lock@p)
+ dma_fence_assert_held(E)
|
- spin_lock_irqsave(&E->inline_lock@p, flags)
+ dma_fence_lock_irqsave(E, flags)
|
- spin_unlock_irqrestore(&E->inline_lock@p, flags)
+ dma_fence_unlock_irqrestore(E, flags)
|
- lockdep_assert_held(&E->inline_lock@p)
+ dma_fence_assert_held(E)
|
- &E->inline_lock@p
+ dma_fence_spinlock(E)
|
- E->extern_lock@p
+ dma_fence_spinlock(E)
|
- spin_lock_irqsave(E.extern_lock@p, flags)
+ dma_fence_lock_irqsave(&E, flags)
|
- spin_unlock_irqrestore(E.extern_lock@p, flags)
+ dma_fence_unlock_irqrestore(&E, flags)
|
- lockdep_assert_held(E.extern_lock@p)
+ dma_fence_assert_held(&E)
|
- &E.inline_lock@p
+ dma_fence_spinlock(&E)
|
- E.extern_lock@p
+ dma_fence_spinlock(&E)
)

@depends on patch@
struct dma_fence *F;
struct dma_fence f;
expression flags;
@@

(
- spin_lock_irqsave(F->lock, flags)
+ dma_fence_lock_irqsave(F, flags)
|
- spin_unlock_irqrestore(F->lock, flags)
+ dma_fence_unlock_irqrestore(F, flags)
|
- lockdep_assert_held(F->lock)
+ dma_fence_assert_held(F)
|
- F->lock
+ dma_fence_spinlock(F)
|
- spin_lock_irqsave(f.lock, flags)
+ dma_fence_lock_irqsave(&f, flags)
|
- spin_unlock_irqrestore(f.lock, flags)
+ dma_fence_unlock_irqrestore(&f, flags)
|
- lockdep_assert_held(f.lock)
+ dma_fence_assert_held(&f)
|
- f.lock
+ dma_fence_spinlock(&f)
)

//----------------------------------------------------------
//  For org and report mode
//----------------------------------------------------------

@script:python depends on org@
p << byname.p;
@@

coccilib.org.print_todo(p[0], "WARNING: use dma_fence_spinlock() or dma_fence_lock_irqsave()")

@script:python depends on report@
p << byname.p;
@@

coccilib.report.print_report(p[0], "WARNING: use dma_fence_spinlock() or dma_fence_lock_irqsave()")

@script:python depends on org@
p << old.p;
@@

coccilib.org.print_todo(p[0], "WARNING: use dma_fence_spinlock() or dma_fence_lock_irqsave()")

@script:python depends on report@
p << old.p;
@@

coccilib.report.print_report(p[0], "WARNING: use dma_fence_spinlock() or dma_fence_lock_irqsave()")
