// SPDX-License-Identifier: GPL-2.0-only
///
/// enable_signaling is called with the fence locked: a lock that it takes comes
/// after that of the fence.  Who signals a fence while holding that lock takes
/// the two the other way round, which deadlocks.  Take the fences off the list
/// first, and signal them when its lock has been dropped.
///
//# The patch only moves a last dma_fence_signal() behind the unlock.  Check that
//# there is a reference to the fence until then.
//
// Confidence: Moderate
// Copyright: (C) 2026 dma-fence founders
// Comments: locks are told apart by structure and member.  Functions called by
// Comments: enable_signaling, or under the lock, are followed once.
// Options: --include-headers
// Keywords: dma_fence, enable_signaling, dma_fence_signal, deadlock

virtual patch
virtual context
virtual org
virtual report

//----------------------------------------------------------
//  Detection: the locks that enable_signaling takes
//----------------------------------------------------------

@issuer@
identifier ops, enable;
@@

struct dma_fence_ops ops = {
	.enable_signaling = enable,
};

@takes@
identifier issuer.enable, f, s, l;
identifier lock = {spin_lock, spin_lock_irq, spin_lock_irqsave, spin_lock_bh,
		   spin_lock_nested, mutex_lock};
struct s *E;
struct s e;
@@

enable(struct dma_fence *f)
{
<+...
(
lock(&E->l, ...)
|
lock(&e.l, ...)
)
...+>
}

@calls@
identifier issuer.enable, f, helper;
@@

enable(struct dma_fence *f)
{
<+...
helper(...)
...+>
}

@takes2@
identifier calls.helper, s, l;
identifier lock = {spin_lock, spin_lock_irq, spin_lock_irqsave, spin_lock_bh,
		   spin_lock_nested, mutex_lock};
struct s *E;
struct s e;
@@

helper(...)
{
<+...
(
lock(&E->l, ...)
|
lock(&e.l, ...)
)
...+>
}

//----------------------------------------------------------
//  Detection: a signal under such a lock
//----------------------------------------------------------

@signals@
identifier helper;
identifier signal = {dma_fence_signal, dma_fence_signal_locked,
		     dma_fence_signal_timestamp,
		     dma_fence_signal_timestamp_locked};
@@

helper(...)
{
<+...
signal(...)
...+>
}

@direct exists@
identifier takes.s, takes.l;
identifier lock = {spin_lock, spin_lock_irq, spin_lock_irqsave, spin_lock_bh,
		   spin_lock_nested, mutex_lock};
identifier unlock = {spin_unlock, spin_unlock_irq, spin_unlock_irqrestore,
		     spin_unlock_bh, mutex_unlock};
identifier signal = {dma_fence_signal, dma_fence_signal_locked,
		     dma_fence_signal_timestamp,
		     dma_fence_signal_timestamp_locked};
struct s *E;
position p;
@@

lock(&E->l, ...);
... when != unlock(&E->l, ...)
signal@p(...)

@by_direct exists@
identifier takes.s, takes.l;
identifier lock = {spin_lock, spin_lock_irq, spin_lock_irqsave, spin_lock_bh,
		   spin_lock_nested, mutex_lock};
identifier unlock = {spin_unlock, spin_unlock_irq, spin_unlock_irqrestore,
		     spin_unlock_bh, mutex_unlock};
identifier signals.helper;
struct s *E;
position p != direct.p;
@@

lock(&E->l, ...);
... when != unlock(&E->l, ...)
helper@p(...)

@direct2 exists@
identifier takes2.s, takes2.l;
identifier lock = {spin_lock, spin_lock_irq, spin_lock_irqsave, spin_lock_bh,
		   spin_lock_nested, mutex_lock};
identifier unlock = {spin_unlock, spin_unlock_irq, spin_unlock_irqrestore,
		     spin_unlock_bh, mutex_unlock};
identifier signal = {dma_fence_signal, dma_fence_signal_locked,
		     dma_fence_signal_timestamp,
		     dma_fence_signal_timestamp_locked};
struct s *E;
position p;
@@

lock(&E->l, ...);
... when != unlock(&E->l, ...)
signal@p(...)

@by_direct2 exists@
identifier takes2.s, takes2.l;
identifier lock = {spin_lock, spin_lock_irq, spin_lock_irqsave, spin_lock_bh,
		   spin_lock_nested, mutex_lock};
identifier unlock = {spin_unlock, spin_unlock_irq, spin_unlock_irqrestore,
		     spin_unlock_bh, mutex_unlock};
identifier signals.helper;
struct s *E;
position p != direct2.p;
@@

lock(&E->l, ...);
... when != unlock(&E->l, ...)
helper@p(...)

//----------------------------------------------------------
//  For context mode
//----------------------------------------------------------

@depends on context@
identifier signal;
position direct.p;
@@

* signal@p(...)

@depends on context@
identifier signal;
position direct2.p;
@@

* signal@p(...)

@depends on context@
identifier signal;
position by_direct.p;
@@

* signal@p(...)

@depends on context@
identifier signal;
position by_direct2.p;
@@

* signal@p(...)

//----------------------------------------------------------
//  For patch mode
//----------------------------------------------------------

@depends on patch@
identifier takes.s, takes.l;
identifier unlock = {spin_unlock, spin_unlock_irq, spin_unlock_irqrestore,
		     spin_unlock_bh, mutex_unlock};
struct s *E;
expression F;
@@

- dma_fence_signal(F);
  unlock(&E->l, ...);
+ dma_fence_signal(F);

@depends on patch@
identifier takes2.s, takes2.l;
identifier unlock = {spin_unlock, spin_unlock_irq, spin_unlock_irqrestore,
		     spin_unlock_bh, mutex_unlock};
struct s *E;
expression F;
@@

- dma_fence_signal(F);
  unlock(&E->l, ...);
+ dma_fence_signal(F);

//----------------------------------------------------------
//  For org and report mode
//----------------------------------------------------------

@script:python depends on org@
p << direct.p;
s << takes.s;
l << takes.l;
enable << issuer.enable;
@@

coccilib.org.print_todo(p[0],
	"WARNING: a fence signaled under %s.%s, which %s takes" % (s, l, enable))

@script:python depends on report@
p << direct.p;
s << takes.s;
l << takes.l;
enable << issuer.enable;
@@

coccilib.report.print_report(p[0],
	"WARNING: a fence signaled under %s.%s, which %s takes" % (s, l, enable))

@script:python depends on org@
p << direct2.p;
s << takes2.s;
l << takes2.l;
enable << issuer.enable;
@@

coccilib.org.print_todo(p[0],
	"WARNING: a fence signaled under %s.%s, which %s takes" % (s, l, enable))

@script:python depends on report@
p << direct2.p;
s << takes2.s;
l << takes2.l;
enable << issuer.enable;
@@

coccilib.report.print_report(p[0],
	"WARNING: a fence signaled under %s.%s, which %s takes" % (s, l, enable))

@script:python depends on org@
p << by_direct.p;
s << takes.s;
l << takes.l;
enable << issuer.enable;
@@

coccilib.org.print_todo(p[0],
	"WARNING: a fence signaled under %s.%s, which %s takes" % (s, l, enable))

@script:python depends on report@
p << by_direct.p;
s << takes.s;
l << takes.l;
enable << issuer.enable;
@@

coccilib.report.print_report(p[0],
	"WARNING: a fence signaled under %s.%s, which %s takes" % (s, l, enable))

@script:python depends on org@
p << by_direct2.p;
s << takes2.s;
l << takes2.l;
enable << issuer.enable;
@@

coccilib.org.print_todo(p[0],
	"WARNING: a fence signaled under %s.%s, which %s takes" % (s, l, enable))

@script:python depends on report@
p << by_direct2.p;
s << takes2.s;
l << takes2.l;
enable << issuer.enable;
@@

coccilib.report.print_report(p[0],
	"WARNING: a fence signaled under %s.%s, which %s takes" % (s, l, enable))
