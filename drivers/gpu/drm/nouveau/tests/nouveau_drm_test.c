// SPDX-License-Identifier: MIT
/*
 * The work that a client has to do when somebody's fence has signaled.
 */

#include <kunit/test.h>

#include "mock-issuer.h"

/**
 * struct cli_test - what a case of this suite has
 * @cli: a client, as much of it as the work needs
 * @done: how many works have been done
 */
struct cli_test {
	struct nouveau_cli cli;
	atomic_t done;
};

/* A work is freed when it is done, as nouveau_gem_object_delete_work() does. */
struct cli_test_work {
	struct nouveau_cli_work base;
	struct cli_test *t;
};

static int cli_test_init(struct kunit *test)
{
	struct cli_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	INIT_WORK(&t->cli.work, nouveau_cli_work);
	INIT_LIST_HEAD(&t->cli.worker);
	mutex_init(&t->cli.lock);
	test->priv = t;

	return 0;
}

static void cli_test_exit(struct kunit *test)
{
	struct cli_test *t = test->priv;

	if (!t)
		return;
	flush_work(&t->cli.work);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->cli.worker));
}

static void cli_test_func(struct nouveau_cli_work *w)
{
	struct cli_test_work *work = container_of(w, typeof(*work), base);

	atomic_inc(&work->t->done);
	kfree(work);
}

static void queue_after(struct kunit *test, struct dma_fence *fence)
{
	struct cli_test_work *work = kzalloc(sizeof(*work), GFP_KERNEL);
	struct cli_test *t = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, work);
	work->base.func = cli_test_func;
	work->t = t;
	nouveau_cli_work_queue(&t->cli, fence, &work->base);
}

static int works_done(struct kunit *test)
{
	struct cli_test *t = test->priv;

	flush_work(&t->cli.work);
	return atomic_read(&t->done);
}

static void is_done_after_the_fence(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	queue_after(test, fence);
	queue_after(test, fence);
	KUNIT_EXPECT_EQ(test, works_done(test), 0);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, works_done(test), 2);
	mock_expect_refs(test, fence, 1);
	mock_issuer_destroy(issuer);
	dma_fence_put(fence);
}

static void is_done_for_each_fence_by_itself(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *first = mock_fence_create(issuer, 1);
	struct dma_fence *second = mock_fence_create(issuer, 2);

	queue_after(test, first);
	queue_after(test, second);
	dma_fence_signal(second);
	KUNIT_EXPECT_EQ(test, works_done(test), 1);
	mock_expect_refs(test, second, 1);
	mock_expect_refs(test, first, 2);

	dma_fence_signal(first);
	KUNIT_EXPECT_EQ(test, works_done(test), 2);
	dma_fence_put(first);
	dma_fence_put(second);
}

/* With a lock of the issuer's, that has been freed. */
static void is_done_after_a_fence_whose_issuer_is_gone(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_orphan(test, mock_lock_flags(test));

	queue_after(test, fence);
	KUNIT_EXPECT_EQ(test, works_done(test), 1);
	mock_expect_refs(test, fence, 1);
	dma_fence_put(fence);
}

/* The issuer goes after the signal, while the work waits for another fence. */
static void is_done_when_its_issuer_has_gone_meanwhile(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct cli_test *t = test->priv;

	queue_after(test, fence);
	mutex_lock(&t->cli.lock);	/* keeps the worker from it */
	dma_fence_signal(fence);
	mock_issuer_destroy(issuer);
	mutex_unlock(&t->cli.lock);

	KUNIT_EXPECT_EQ(test, works_done(test), 1);
	mock_expect_refs(test, fence, 1);
	dma_fence_put(fence);
}

/*
 * i915 sets the signaled flag first, and takes the lock for the callbacks some time
 * later. If the work is done in between, its callback must not stay on the list.
 */
static void takes_its_callback_along_if_the_signaler_is_halfway(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct cli_test *t = test->priv;
	unsigned long flags;
	bool gone;

	queue_after(test, fence);
	set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags);
	schedule_work(&t->cli.work);	/* for another fence, say */
	KUNIT_EXPECT_EQ(test, works_done(test), 1);

	dma_fence_lock_irqsave(fence, flags);
	gone = list_empty(&fence->cb_list);
	dma_fence_unlock_irqrestore(fence, flags);
	KUNIT_ASSERT_TRUE_MSG(test, gone, "freed, and on the list");

	dma_fence_lock_irqsave(fence, flags);
	clear_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags);
	dma_fence_signal_locked(fence);
	dma_fence_unlock_irqrestore(fence, flags);
	KUNIT_EXPECT_EQ(test, works_done(test), 1);
	mock_expect_refs(test, fence, 1);
	dma_fence_put(fence);
}

static void signals_a_fence_that_is_done(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test) |
							MOCK_SIGNALED_CB);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct cli_test *t = test->priv;

	queue_after(test, fence);
	mock_issuer_complete(issuer);
	schedule_work(&t->cli.work);
	KUNIT_EXPECT_EQ(test, works_done(test), 1);
	mock_expect_refs(test, fence, 1);
	dma_fence_put(fence);
}

static void is_done_at_once_without_a_fence(struct kunit *test)
{
	struct cli_test_work *work = kzalloc(sizeof(*work), GFP_KERNEL);
	struct cli_test *t = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, work);
	work->base.func = cli_test_func;
	work->t = t;
	list_add_tail(&work->base.head, &t->cli.worker);
	schedule_work(&t->cli.work);
	KUNIT_EXPECT_EQ(test, works_done(test), 1);
}

static struct kunit_case cli_cases[] = {
	KUNIT_CASE_PARAM(is_done_after_the_fence, mock_lock_gen_params),
	KUNIT_CASE_PARAM(is_done_for_each_fence_by_itself, mock_lock_gen_params),
	KUNIT_CASE_PARAM(is_done_after_a_fence_whose_issuer_is_gone, mock_lock_gen_params),
	KUNIT_CASE_PARAM(is_done_when_its_issuer_has_gone_meanwhile, mock_lock_gen_params),
	KUNIT_CASE_PARAM(takes_its_callback_along_if_the_signaler_is_halfway,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(signals_a_fence_that_is_done, mock_lock_gen_params),
	KUNIT_CASE(is_done_at_once_without_a_fence),
	{}
};

static struct kunit_suite cli_suite = {
	.name = "nouveau_cli_work",
	.init = cli_test_init,
	.exit = cli_test_exit,
	.test_cases = cli_cases,
};

kunit_test_suite(cli_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
