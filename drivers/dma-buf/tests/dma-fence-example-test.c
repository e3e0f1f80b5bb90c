// SPDX-License-Identifier: GPL-2.0
/*
 * The issuer that Documentation/driver-api/dma-buf.rst shows, and tests of what
 * it says about it. The page includes the pieces up to the first test as they are
 * here: check it after a change.
 */

#include <kunit/test.h>

#include <linux/dma-fence.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "mock-issuer.h"

/* One engine of a device, which does its jobs one after the other. */
struct demo_engine {
	char name[16];
	u64 context;
	spinlock_t lock;		/* protects the rest */
	struct list_head pending;	/* jobs that are not done */
	u32 seqno;			/* of the last job */
	bool irq_enabled;
	bool stopped;
};

struct demo_fence {
	struct dma_fence base;		/* R10: comes first */
	struct list_head node;		/* in pending: a reference */
	struct demo_engine *engine;	/* dangles in the end */
	void *commands;			/* freed with the job */
};

static struct demo_fence *to_demo_fence(struct dma_fence *fence)
{
	return container_of(fence, struct demo_fence, base);
}

static const char *demo_get_driver_name(struct dma_fence *fence)
{
	return "demo";
}

/* R8: the string stays until demo_engine_destroy() has waited. */
static const char *demo_get_timeline_name(struct dma_fence *fence)
{
	return to_demo_fence(fence)->engine->name;
}

/* R9: called with the fence locked; the engine's lock comes after. */
static bool demo_enable_signaling(struct dma_fence *fence)
{
	struct demo_engine *engine = to_demo_fence(fence)->engine;

	spin_lock(&engine->lock);
	/*
	 * If the job is done already, the interrupt comes at once. But not
	 * if demo_complete() has the fence, and will signal it anyway: after
	 * the last job nobody would turn the interrupt off.
	 */
	if (!list_empty(&engine->pending))
		engine->irq_enabled = true;
	spin_unlock(&engine->lock);

	return true;
}

/* R2: neither wait nor release. */
static const struct dma_fence_ops demo_fence_ops = {
	.get_driver_name = demo_get_driver_name,
	.get_timeline_name = demo_get_timeline_name,
	.enable_signaling = demo_enable_signaling,
};

static struct demo_engine *demo_engine_create(const char *name)
{
	struct demo_engine *engine = kzalloc(sizeof(*engine), GFP_KERNEL);

	if (!engine)
		return NULL;

	strscpy(engine->name, name);
	engine->context = dma_fence_context_alloc(1);
	spin_lock_init(&engine->lock);
	INIT_LIST_HEAD(&engine->pending);

	return engine;
}

/* Takes over @commands, unless it fails. Returns a reference. */
static struct dma_fence *demo_submit(struct demo_engine *engine,
				     void *commands)
{
	struct demo_fence *fence;

	/* R10: from kmalloc, as nobody asks us to free it. */
	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence)
		return ERR_PTR(-ENOMEM);

	fence->engine = engine;
	fence->commands = commands;

	spin_lock_irq(&engine->lock);
	if (engine->stopped) {
		spin_unlock_irq(&engine->lock);
		kfree(fence);
		return ERR_PTR(-ENODEV);
	}
	/* R3: NULL, for the lock inside the fence. */
	dma_fence_init(&fence->base, &demo_fence_ops, NULL,
		       engine->context, ++engine->seqno);
	dma_fence_get(&fence->base);
	list_add_tail(&fence->node, &engine->pending);
	/* ... and here the hardware is told. */
	spin_unlock_irq(&engine->lock);

	return &fence->base;
}

/* The interrupt: the engine is done with the jobs up to @seqno. */
static void demo_complete(struct demo_engine *engine, u32 seqno,
			  int error)
{
	bool cookie = dma_fence_begin_signalling();
	struct demo_fence *fence, *next;
	unsigned long flags;
	LIST_HEAD(done);

	/* R9: off the list with the lock, signaled without it. */
	spin_lock_irqsave(&engine->lock, flags);
	list_for_each_entry_safe(fence, next, &engine->pending, node) {
		if (__dma_fence_is_later(&fence->base,
					 fence->base.seqno, seqno))
			break;
		list_move_tail(&fence->node, &done);
	}
	if (list_empty(&engine->pending))
		engine->irq_enabled = false;
	spin_unlock_irqrestore(&engine->lock, flags);

	list_for_each_entry_safe(fence, next, &done, node) {
		if (error)
			dma_fence_set_error(&fence->base, error);
		dma_fence_signal(&fence->base);

		/* R10: what the job held, and the list's reference. */
		kfree(fence->commands);
		fence->commands = NULL;
		dma_fence_put(&fence->base);
	}
	dma_fence_end_signalling(cookie);
}

static void demo_engine_stop(struct demo_engine *engine)
{
	u32 last;

	/* R11: stop issuing ... */
	spin_lock_irq(&engine->lock);
	engine->stopped = true;
	last = engine->seqno;
	spin_unlock_irq(&engine->lock);

	/*
	 * ... and signal every fence. Before that a driver stops the
	 * hardware and calls free_irq(): a handler still running may
	 * have fences off the list that it has not signaled yet.
	 */
	demo_complete(engine, last, -ECANCELED);
}

static void demo_engine_destroy(struct demo_engine *engine)
{
	demo_engine_stop(engine);

	/*
	 * R11: who has found a fence live, and may still call its ops
	 * or read its name, is in an RCU read-side critical section.
	 */
	synchronize_rcu();
	kfree(engine);
}

/* The tests. In each of them a fence outlives its engine, if there is one. */

static struct demo_engine *demo_test_create(struct kunit *test)
{
	struct demo_engine *engine = demo_engine_create("demo-engine");

	KUNIT_ASSERT_NOT_NULL(test, engine);

	return engine;
}

static struct dma_fence *demo_test_submit(struct kunit *test, struct demo_engine *engine)
{
	void *commands = kzalloc(64, GFP_KERNEL);
	struct dma_fence *fence;

	KUNIT_ASSERT_NOT_NULL(test, commands);
	fence = demo_submit(engine, commands);
	KUNIT_ASSERT_FALSE(test, IS_ERR(fence));

	return fence;
}

static void example_test_jobs_are_done_up_to_a_seqno(struct kunit *test)
{
	struct demo_engine *engine = demo_test_create(test);
	struct dma_fence *fence[3];
	int i;

	for (i = 0; i < 3; i++)
		fence[i] = demo_test_submit(test, engine);

	demo_complete(engine, fence[1]->seqno, 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[0]), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[1]), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[2]), 0);

	demo_engine_destroy(engine);
	for (i = 0; i < 3; i++)
		dma_fence_put(fence[i]);
}

/* The jobs get along without interrupts until somebody wants a callback. */
static void example_test_first_callback_enables_the_interrupt(struct kunit *test)
{
	struct demo_engine *engine = demo_test_create(test);
	struct dma_fence *fence = demo_test_submit(test, engine);
	struct mock_cb cb = {};

	KUNIT_EXPECT_FALSE(test, engine->irq_enabled);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), 0);
	KUNIT_EXPECT_TRUE(test, engine->irq_enabled);

	demo_complete(engine, fence->seqno, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, cb.error, 0);
	KUNIT_EXPECT_FALSE(test, engine->irq_enabled);

	demo_engine_destroy(engine);
	dma_fence_put(fence);
}

/* demo_complete() has the last fence off the list, and has not signaled it yet. */
static void example_test_no_interrupt_is_enabled_after_the_last_job(struct kunit *test)
{
	struct demo_engine *engine = demo_test_create(test);
	struct dma_fence *fence = demo_test_submit(test, engine);
	struct mock_cb cb = {};

	spin_lock_irq(&engine->lock);
	list_del_init(&to_demo_fence(fence)->node);
	spin_unlock_irq(&engine->lock);

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), 0);
	KUNIT_EXPECT_FALSE(test, engine->irq_enabled);

	spin_lock_irq(&engine->lock);
	list_add_tail(&to_demo_fence(fence)->node, &engine->pending);
	spin_unlock_irq(&engine->lock);
	demo_complete(engine, fence->seqno, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_FALSE(test, engine->irq_enabled);

	demo_engine_destroy(engine);
	dma_fence_put(fence);
}

struct demo_cb {
	struct dma_fence_cb base;
	struct demo_engine *engine;
	MOCK_GP_STATE gp;
	bool locked;
};

static void demo_cb_func(struct dma_fence *fence, struct dma_fence_cb *base)
{
	struct demo_cb *cb = container_of(base, struct demo_cb, base);

	if (spin_trylock(&cb->engine->lock)) {
		spin_unlock(&cb->engine->lock);
		cb->locked = false;
	}
	get_state_synchronize_rcu_full(&cb->gp);
}

/* R9: who runs as a callback may take it, by way of another fence for instance. */
static void example_test_engine_is_not_locked_in_callbacks(struct kunit *test)
{
	struct demo_engine *engine = demo_test_create(test);
	struct dma_fence *fence = demo_test_submit(test, engine);
	struct demo_cb cb = { .engine = engine, .locked = true };

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, demo_cb_func), 0);
	demo_complete(engine, fence->seqno, 0);
	KUNIT_EXPECT_FALSE(test, cb.locked);

	demo_engine_destroy(engine);
	dma_fence_put(fence);
}

/* R10: whoever holds a fence holds nothing else. */
static void example_test_signaled_fence_holds_nothing(struct kunit *test)
{
	struct demo_engine *engine = demo_test_create(test);
	struct dma_fence *fence = demo_test_submit(test, engine);

	KUNIT_EXPECT_NOT_NULL(test, to_demo_fence(fence)->commands);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);
	demo_complete(engine, fence->seqno, 0);
	KUNIT_EXPECT_NULL(test, to_demo_fence(fence)->commands);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(fence->ops));

	demo_engine_destroy(engine);
	dma_fence_put(fence);
}

static void example_test_stopped_engine_issues_no_fence(struct kunit *test)
{
	struct demo_engine *engine = demo_test_create(test);

	demo_engine_stop(engine);
	KUNIT_EXPECT_EQ(test, PTR_ERR(demo_submit(engine, NULL)), -ENODEV);
	KUNIT_EXPECT_TRUE(test, list_empty(&engine->pending));
	demo_engine_destroy(engine);
}

static void example_test_jobs_not_done_have_an_error(struct kunit *test)
{
	struct demo_engine *engine = demo_test_create(test);
	struct dma_fence *done = demo_test_submit(test, engine);
	struct dma_fence *canceled = demo_test_submit(test, engine);

	demo_complete(engine, done->seqno, 0);
	demo_engine_stop(engine);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(done), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(canceled), -ECANCELED);

	demo_engine_destroy(engine);
	dma_fence_put(done);
	dma_fence_put(canceled);
}

/* R11: a whole grace period, which has begun after the last of the signals. */
static void example_test_grace_period_after_the_last_signal(struct kunit *test)
{
	struct demo_engine *engine = demo_test_create(test);
	struct dma_fence *fence = demo_test_submit(test, engine);
	struct demo_cb cb = { .engine = engine };

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, demo_cb_func), 0);
	demo_engine_destroy(engine);
	KUNIT_EXPECT_TRUE(test, poll_state_synchronize_rcu_full(&cb.gp));
	dma_fence_put(fence);
}

/* All that one can do with a fence, with KASAN watching over what was the engine. */
static void example_test_fences_outlive_the_engine(struct kunit *test)
{
	struct demo_engine *engine = demo_test_create(test);
	struct dma_fence *done = demo_test_submit(test, engine);
	struct dma_fence *canceled = demo_test_submit(test, engine);

	mock_expect_names(test, done, "demo", "demo-engine");
	demo_complete(engine, done->seqno, 0);
	demo_engine_destroy(engine);

	mock_expect_names(test, done, "detached-driver", "signaled-timeline");
	mock_fence_use(test, done);
	mock_fence_use(test, canceled);
	dma_fence_put(done);
	dma_fence_put(canceled);
}

static struct kunit_case dma_fence_example_tests[] = {
	KUNIT_CASE(example_test_jobs_are_done_up_to_a_seqno),
	KUNIT_CASE(example_test_first_callback_enables_the_interrupt),
	KUNIT_CASE(example_test_no_interrupt_is_enabled_after_the_last_job),
	KUNIT_CASE(example_test_engine_is_not_locked_in_callbacks),
	KUNIT_CASE(example_test_signaled_fence_holds_nothing),
	KUNIT_CASE(example_test_stopped_engine_issues_no_fence),
	KUNIT_CASE(example_test_jobs_not_done_have_an_error),
	KUNIT_CASE(example_test_grace_period_after_the_last_signal),
	KUNIT_CASE(example_test_fences_outlive_the_engine),
	{}
};

static struct kunit_suite dma_fence_example_test_suite = {
	.name = "dma_fence_example",
	.test_cases = dma_fence_example_tests,
};

kunit_test_suite(dma_fence_example_test_suite);
