// SPDX-License-Identifier: GPL-2.0-only
///
/// Whose a fence is can be told by its ops as long as it has not signaled: then
/// they become NULL, for anybody's fence.  So the answer comes too late in the
/// callback of a fence, and after dma_fence_signal().  At other times compare
/// them by rcu_access_pointer(), and have "not mine" be right for a fence of
/// one's own that has signaled.
///
//# The patch only puts rcu_access_pointer() there.
//
// Confidence: Moderate
// Copyright: (C) 2026 dma-fence founders
// Comments: a function that compares is known by its name in its own file only
// Options: --include-headers
// Keywords: dma_fence, ops, rcu_access_pointer

virtual patch
virtual context
virtual org
virtual report

//----------------------------------------------------------
//  Detection: a plain comparison
//----------------------------------------------------------

@table@
identifier o;
@@

struct dma_fence_ops o;

@bytable@
identifier table.o;
expression E;
position p;
@@

(
E->ops@p == &o
|
E->ops@p != &o
|
E.ops@p == &o
|
E.ops@p != &o
)

// This is F->ops as well, see standard.iso.
@bytype@
struct dma_fence f;
expression E;
position p != bytable.p;
@@

(
f.ops@p == E
|
f.ops@p != E
)

//----------------------------------------------------------
//  Detection: a comparison too late
//----------------------------------------------------------

// The functions of this file that compare.
@compares@
identifier fn, f;
expression E;
@@

fn(struct dma_fence *f, ...)
{
<+...
(
f->ops == E
|
f->ops != E
|
rcu_access_pointer(f->ops) == E
|
rcu_access_pointer(f->ops) != E
)
...+>
}

@after exists@
expression F, E, E2;
identifier signal = {dma_fence_signal, dma_fence_signal_locked,
		     dma_fence_signal_timestamp,
		     dma_fence_signal_timestamp_locked};
identifier compares.fn;
position p;
@@

signal(F, ...)
... when != F = E2
(
F->ops@p == E
|
F->ops@p != E
|
rcu_access_pointer@p(F->ops) == E
|
rcu_access_pointer@p(F->ops) != E
|
fn@p(F, ...)
)

@after2 exists@
expression F, E, E2;
identifier signal = {dma_fence_signal, dma_fence_signal_locked,
		     dma_fence_signal_timestamp,
		     dma_fence_signal_timestamp_locked};
position p != after.p;
@@

signal(F, ...)
... when != F = E2
(
F->ops@p == E
|
F->ops@p != E
|
rcu_access_pointer@p(F->ops) == E
|
rcu_access_pointer@p(F->ops) != E
)

@callback@
identifier cb, f, c;
identifier compares.fn;
expression E;
position p;
@@

cb(struct dma_fence *f, struct dma_fence_cb *c)
{
<+...
(
f->ops@p == E
|
f->ops@p != E
|
rcu_access_pointer@p(f->ops) == E
|
rcu_access_pointer@p(f->ops) != E
|
fn@p(f, ...)
)
...+>
}

@callback2@
identifier cb, f, c;
expression E;
position p != callback.p;
@@

cb(struct dma_fence *f, struct dma_fence_cb *c)
{
<+...
(
f->ops@p == E
|
f->ops@p != E
|
rcu_access_pointer@p(f->ops) == E
|
rcu_access_pointer@p(f->ops) != E
)
...+>
}

//----------------------------------------------------------
//  For context mode
//----------------------------------------------------------

@depends on context@
expression E1, E2;
position bytable.p;
@@

(
* E1->ops@p == E2
|
* E1->ops@p != E2
|
* E1.ops@p == E2
|
* E1.ops@p != E2
)

@depends on context@
expression E1, E2;
position bytype.p;
@@

(
* E1->ops@p == E2
|
* E1->ops@p != E2
|
* E1.ops@p == E2
|
* E1.ops@p != E2
)

@depends on context@
expression F, E;
identifier fn;
position after.p;
@@

(
* F->ops@p == E
|
* F->ops@p != E
|
* rcu_access_pointer@p(F->ops) == E
|
* rcu_access_pointer@p(F->ops) != E
|
* fn@p(F, ...)
)

@depends on context@
expression F, E;
identifier fn;
position after2.p;
@@

(
* F->ops@p == E
|
* F->ops@p != E
|
* rcu_access_pointer@p(F->ops) == E
|
* rcu_access_pointer@p(F->ops) != E
|
* fn@p(F, ...)
)

@depends on context@
expression F, E;
identifier fn;
position callback.p;
@@

(
* F->ops@p == E
|
* F->ops@p != E
|
* rcu_access_pointer@p(F->ops) == E
|
* rcu_access_pointer@p(F->ops) != E
|
* fn@p(F, ...)
)

@depends on context@
expression F, E;
identifier fn;
position callback2.p;
@@

(
* F->ops@p == E
|
* F->ops@p != E
|
* rcu_access_pointer@p(F->ops) == E
|
* rcu_access_pointer@p(F->ops) != E
|
* fn@p(F, ...)
)

//----------------------------------------------------------
//  For patch mode
//----------------------------------------------------------

@depends on patch@
identifier table.o;
expression E;
@@

(
- E->ops
+ rcu_access_pointer(E->ops)
  == &o
|
- E->ops
+ rcu_access_pointer(E->ops)
  != &o
|
- E.ops
+ rcu_access_pointer(E.ops)
  == &o
|
- E.ops
+ rcu_access_pointer(E.ops)
  != &o
)

@depends on patch@
struct dma_fence *F;
struct dma_fence f;
expression E;
@@

(
- F->ops
+ rcu_access_pointer(F->ops)
  == E
|
- F->ops
+ rcu_access_pointer(F->ops)
  != E
|
- f.ops
+ rcu_access_pointer(f.ops)
  == E
|
- f.ops
+ rcu_access_pointer(f.ops)
  != E
)

//----------------------------------------------------------
//  For org and report mode
//----------------------------------------------------------

@script:python depends on org@
p << bytable.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence compared without rcu_access_pointer()")

@script:python depends on report@
p << bytable.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence compared without rcu_access_pointer()")

@script:python depends on org@
p << bytype.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence compared without rcu_access_pointer()")

@script:python depends on report@
p << bytype.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence compared without rcu_access_pointer()")

@script:python depends on org@
p << after.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence compared after its signal: they may be gone")

@script:python depends on report@
p << after.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence compared after its signal: they may be gone")

@script:python depends on org@
p << after2.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence compared after its signal: they may be gone")

@script:python depends on report@
p << after2.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence compared after its signal: they may be gone")

@script:python depends on org@
p << callback.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence compared in its callback: they may be gone")

@script:python depends on report@
p << callback.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence compared in its callback: they may be gone")

@script:python depends on org@
p << callback2.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence compared in its callback: they may be gone")

@script:python depends on report@
p << callback2.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence compared in its callback: they may be gone")
