// SPDX-License-Identifier: GPL-2.0-only
///
/// A fence forgets its ops when it signals.  Who follows them needs an accessor,
/// dma_fence_driver_name() for instance, or one RCU read-side section with
/// rcu_dereference() and a test for NULL in it.
///
//# The names that dma_fence_driver_name() and dma_fence_timeline_name() return may
//# be read inside of rcu_read_lock() only, which the patch does not add.
//
// Confidence: High
// Copyright: (C) 2026 dma-fence founders
// Comments: the files named below are the accessors
// Options: --include-headers
// Keywords: dma_fence, ops, rcu

virtual patch
virtual context
virtual org
virtual report

//----------------------------------------------------------
//  Detection: ops that are read as they are
//----------------------------------------------------------

// Only struct dma_fence_ops has members of these names, whatever E may be.
@byname@
expression E;
identifier m = {get_driver_name, get_timeline_name};
position p;
@@

E->ops@p->m

// This is F->ops as well, see standard.iso.
@plain@
struct dma_fence f;
identifier m;
position p != byname.p;
@@

f.ops@p->m

@copied@
struct dma_fence f;
const struct dma_fence_ops *o;
position p;
@@

o = f.ops@p

//----------------------------------------------------------
//  Detection: ops that nobody has asked whether they are there
//----------------------------------------------------------

@unasked@
expression E, c;
identifier d = {rcu_dereference, rcu_dereference_check,
		rcu_dereference_protected, rcu_dereference_raw};
identifier m = {get_driver_name, get_timeline_name, enable_signaling,
		signaled, wait, release, set_deadline};
position p : script:python() {
	not p[0].file.endswith(("drivers/dma-buf/dma-fence.c",
				"include/linux/dma-fence.h",
				"include/trace/events/dma_fence.h"))
};
@@

(
d@p(E->ops)->m
|
d@p(E->ops, c)->m
|
d@p(E.ops)->m
|
d@p(E.ops, c)->m
)

@asked@
const struct dma_fence_ops *o;
expression E;
identifier m;
position p;
@@

(
o != NULL && <+...o@p->m...+>
|
o == NULL || <+...o@p->m...+>
|
o != NULL ? <+...o@p->m...+> : E
)

@later exists@
expression E;
const struct dma_fence_ops *o;
identifier d = {rcu_dereference, rcu_dereference_check,
		rcu_dereference_protected, rcu_dereference_raw};
identifier m;
position p != asked.p;
@@

(
o = d(E->ops, ...);
|
o = d(E.ops, ...);
)
... when != o
o@p->m

//----------------------------------------------------------
//  For context mode
//----------------------------------------------------------

@depends on context@
expression E;
identifier m;
position byname.p;
@@

* E->ops@p->m

@depends on context@
expression E;
identifier m;
position plain.p;
@@

(
* E->ops@p->m
|
* E.ops@p->m
)

@depends on context@
expression E, o;
position copied.p;
@@

(
* o = E->ops@p
|
* o = E.ops@p
)

@depends on context@
expression list es;
identifier d, m;
position unasked.p;
@@

* d@p(es)->m

@depends on context@
expression o;
identifier m;
position later.p;
@@

* o@p->m

//----------------------------------------------------------
//  For patch mode: what has an accessor
//----------------------------------------------------------

@depends on patch@
expression E;
@@

(
- E->ops->get_driver_name(E)
+ rcu_dereference(dma_fence_driver_name(E))
|
- E->ops->get_timeline_name(E)
+ rcu_dereference(dma_fence_timeline_name(E))
)

@depends on patch@
expression E;
@@

(
- E.ops->get_driver_name(&E)
+ rcu_dereference(dma_fence_driver_name(&E))
|
- E.ops->get_timeline_name(&E)
+ rcu_dereference(dma_fence_timeline_name(&E))
)

@depends on patch@
struct dma_fence *F;
expression E;
@@

(
- if (F->ops->set_deadline)
-	F->ops->set_deadline(F, E);
+ dma_fence_set_deadline(F, E);
|
- if (F->ops->enable_signaling)
-	F->ops->enable_signaling(F);
+ dma_fence_enable_sw_signaling(F);
)

@depends on patch@
struct dma_fence *F;
expression E1, E2;
@@

(
- F->ops->signaled && F->ops->signaled(F)
+ dma_fence_is_signaled(F)
|
- F->ops->signaled(F)
+ dma_fence_is_signaled(F)
|
- F->ops->wait(F, E1, E2)
+ dma_fence_wait_timeout(F, E1, E2)
|
- F->ops->set_deadline(F, E1)
+ dma_fence_set_deadline(F, E1)
)

@depends on patch@
struct dma_fence f;
expression E1, E2;
@@

(
- f.ops->signaled && f.ops->signaled(&f)
+ dma_fence_is_signaled(&f)
|
- f.ops->signaled(&f)
+ dma_fence_is_signaled(&f)
|
- f.ops->wait(&f, E1, E2)
+ dma_fence_wait_timeout(&f, E1, E2)
|
- f.ops->set_deadline(&f, E1)
+ dma_fence_set_deadline(&f, E1)
)

//----------------------------------------------------------
//  For org and report mode
//----------------------------------------------------------

@script:python depends on org@
p << byname.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence followed without an accessor")

@script:python depends on report@
p << byname.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence followed without an accessor")

@script:python depends on org@
p << plain.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence followed without an accessor")

@script:python depends on report@
p << plain.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence followed without an accessor")

@script:python depends on org@
p << copied.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence read without rcu_dereference()")

@script:python depends on report@
p << copied.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence read without rcu_dereference()")

@script:python depends on org@
p << unasked.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence may be NULL, once it has signaled")

@script:python depends on report@
p << unasked.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence may be NULL, once it has signaled")

@script:python depends on org@
p << later.p;
@@

coccilib.org.print_todo(p[0], "WARNING: ops of a fence may be NULL, once it has signaled")

@script:python depends on report@
p << later.p;
@@

coccilib.report.print_report(p[0], "WARNING: ops of a fence may be NULL, once it has signaled")
