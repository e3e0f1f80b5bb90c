// SPDX-License-Identifier: MIT
/*
 * i915 signals its requests in two steps, and somebody may come in between: the
 * driver's own irq_work, on requests that no GPU runs. How far the GPU is, is a
 * variable, and the breadcrumbs are those of a virtual engine, which has no
 * interrupt.
 */

#include <kunit/test.h>

#include "gem/i915_gem_context.h"
#include "gt/uc/intel_guc_fwif.h"
#include "i915_request.h"
#include "i915_scheduler_types.h"
#include "mock-issuer.h"

/**
 * struct breadcrumbs_test - a request, and what there was between the two steps
 * @b: the breadcrumbs
 * @engine: a virtual engine
 * @sched_engine: its scheduler, which is told of a request between the steps
 * @ce: the context
 * @timeline: the timeline of that
 * @hwsp: the last request that the GPU has completed
 * @rq: the request
 * @cbs: callbacks of its fence
 * @remove: a callback to remove between the steps, or NULL
 * @between: how often there was a time between the steps
 * @signaled: the fence had signaled then
 * @callbacks_done: its callbacks had been called
 * @called: how many of @cbs had
 * @removed: @remove was removed
 */
struct breadcrumbs_test {
	struct intel_breadcrumbs *b;
	struct intel_engine_cs engine;
	struct i915_sched_engine sched_engine;
	struct intel_context ce;
	struct intel_timeline timeline;
	u32 hwsp;
	struct i915_request *rq;
	struct mock_cb cbs[2];
	struct mock_cb *remove;
	int between;
	bool signaled;
	bool callbacks_done;
	int called;
	bool removed;
};

/* In an interrupt: it takes notes for the test. */
static void breadcrumbs_test_between(struct i915_request *rq)
{
	struct breadcrumbs_test *t = container_of(rq->engine, typeof(*t), engine);

	t->between++;
	t->signaled = dma_fence_test_signaled_flag(&rq->fence);
	t->callbacks_done = dma_fence_callbacks_done(&rq->fence);
	for (int i = 0; i < ARRAY_SIZE(t->cbs); i++)
		t->called += atomic_read(&t->cbs[i].count);
	if (t->remove)
		t->removed = dma_fence_remove_callback(&rq->fence, &t->remove->base);
}

/* The test has a reference to the end. */
static void breadcrumbs_test_destroy(struct kref *ref)
{
	WARN_ON(true);
}

static const struct intel_context_ops breadcrumbs_test_ops = {
	.destroy = breadcrumbs_test_destroy,
};

/* A request that the GPU runs, of the driver's cache, and with its ops. */
static struct i915_request *create_request(struct kunit *test,
					   struct breadcrumbs_test *t)
{
	struct i915_request *rq = kmem_cache_alloc(i915_request_slab_cache(),
						   GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rq);
	dma_fence_init(&rq->fence, &i915_fence_ops, &rq->lock,
		       dma_fence_context_alloc(1), 1);
	rq->engine = &t->engine;
	rq->context = &t->ce;
	rq->hwsp_seqno = &t->hwsp;
	rq->guc_prio = GUC_PRIO_INIT;
	/* Not one engine, so that its release does not look for that. */
	rq->execution_mask = 0;
	list_add_tail(&rq->link, &t->timeline.requests);
	set_bit(I915_FENCE_FLAG_ACTIVE, &rq->fence.flags);
	return rq;
}

static int breadcrumbs_test_init(struct kunit *test)
{
	struct breadcrumbs_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->b = intel_breadcrumbs_create(NULL);
	KUNIT_ASSERT_NOT_NULL(test, t->b);
	t->sched_engine.retire_inflight_request_prio = breadcrumbs_test_between;
	t->engine.sched_engine = &t->sched_engine;
	t->engine.breadcrumbs = t->b;
	INIT_LIST_HEAD(&t->timeline.requests);
	kref_init(&t->ce.ref);
	t->ce.ops = &breadcrumbs_test_ops;
	t->ce.timeline = &t->timeline;
	spin_lock_init(&t->ce.signal_lock);
	INIT_LIST_HEAD(&t->ce.signals);
	t->rq = create_request(test, t);

	/* The first enables signaling: the request is on the list of its context. */
	for (int i = 0; i < ARRAY_SIZE(t->cbs); i++)
		KUNIT_EXPECT_EQ(test, 0, dma_fence_add_callback(&t->rq->fence,
								&t->cbs[i].base,
								mock_cb_func));
	irq_work_sync(&t->b->irq_work);
	KUNIT_EXPECT_FALSE(test, list_empty(&t->b->signalers));
	KUNIT_EXPECT_EQ(test, t->between, 0);
	test->priv = t;
	return 0;
}

static void breadcrumbs_test_exit(struct kunit *test)
{
	struct breadcrumbs_test *t = test->priv;

	/* Nobody else has the request or its context any more. */
	KUNIT_EXPECT_TRUE(test, list_empty(&t->b->signalers));
	KUNIT_EXPECT_EQ(test, kref_read(&t->ce.ref), 1);
	KUNIT_EXPECT_EQ(test, kref_read(&t->rq->fence.refcount), 1);
	i915_request_put(t->rq);
	intel_breadcrumbs_put(t->b);
	/* Those who walk the lists of a context. */
	synchronize_rcu();
}

/* The interrupt after the GPU has completed the request. */
static void complete_request(struct breadcrumbs_test *t)
{
	WRITE_ONCE(t->hwsp, 1);
	irq_work_queue(&t->b->irq_work);
	irq_work_sync(&t->b->irq_work);
}

static void calls_all_callbacks_in_the_second_step(struct kunit *test)
{
	struct breadcrumbs_test *t = test->priv;

	complete_request(t);
	KUNIT_EXPECT_EQ(test, t->between, 1);
	KUNIT_EXPECT_TRUE(test, t->signaled);
	KUNIT_EXPECT_FALSE(test, t->callbacks_done);
	KUNIT_EXPECT_EQ(test, t->called, 0);

	for (int i = 0; i < ARRAY_SIZE(t->cbs); i++)
		KUNIT_EXPECT_EQ(test, atomic_read(&t->cbs[i].count), 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_callbacks_done(&t->rq->fence));
	KUNIT_EXPECT_LE(test, dma_fence_timestamp(&t->rq->fence), ktime_get());
}

static void callback_removed_in_between_is_not_called(struct kunit *test)
{
	struct breadcrumbs_test *t = test->priv;

	t->remove = &t->cbs[0];
	complete_request(t);
	KUNIT_EXPECT_EQ(test, t->between, 1);
	KUNIT_EXPECT_TRUE(test, t->removed);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->cbs[0].count), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->cbs[1].count), 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(&t->rq->fence,
							   &t->cbs[1].base));
}

static struct kunit_case breadcrumbs_cases[] = {
	KUNIT_CASE(calls_all_callbacks_in_the_second_step),
	KUNIT_CASE(callback_removed_in_between_is_not_called),
	{}
};

static struct kunit_suite breadcrumbs_suite = {
	.name = "i915_breadcrumbs",
	.init = breadcrumbs_test_init,
	.exit = breadcrumbs_test_exit,
	.test_cases = breadcrumbs_cases,
};

kunit_test_suite(breadcrumbs_suite);
