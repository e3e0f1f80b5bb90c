// SPDX-License-Identifier: GPL-2.0 AND MIT
/*
 * Jobs of exec queues without a GuC, on a port that is busy with another queue, so
 * that no register is written.
 */

#include "tests/xe_job_test.h"

struct execlist_test {
	struct xe_execlist_port port;
	struct xe_execlist_exec_queue other;
};

static int execlist_test_init(struct kunit *test)
{
	struct execlist_test *e = kunit_kzalloc(test, sizeof(*e), GFP_KERNEL);
	struct job_test *t;

	KUNIT_ASSERT_NOT_NULL(test, e);
	job_test_init(test);
	t = test->priv;

	t->xe->info.force_execlist = true;
	KUNIT_ASSERT_EQ(test, xe_execlist_init(t->gt), 0);
	e->port.hwe = t->hwe;
	spin_lock_init(&e->port.lock);
	for (int i = 0; i < ARRAY_SIZE(e->port.active); i++)
		INIT_LIST_HEAD(&e->port.active[i]);
	e->port.running_exl = &e->other;
	e->other.active_priority = XE_EXEC_QUEUE_PRIORITY_KERNEL;
	t->hwe->exl_port = &e->port;
	return 0;
}

/* The port has nothing of this queue any more. */
static void port_forgets(struct xe_exec_queue *q)
{
	list_del(&q->execlist->active_link);
	q->execlist->active_priority = XE_EXEC_QUEUE_PRIORITY_UNSET;
}

static void xe_execlist_test_finished_when_the_gpu_has_completed_it(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct xe_exec_queue *q = create_queue(test, 1, 0);
	struct dma_fence *finished = push(test, q);

	settle(q);
	KUNIT_EXPECT_EQ(test, t->emitted, 1);
	/* One reference for the list of pending ones, before the scheduler asked. */
	KUNIT_EXPECT_FALSE(test, list_empty(&t->irq->pending));
	complete_all_jobs(t);
	expect_finished(test, finished, 1);
	settle(q);
	port_forgets(q);
	put_queue(test, q);
}

static void xe_execlist_test_fails_if_it_is_ready_after_the_unbind(struct kunit *test)
{
	expect_failure_after_the_unbind(test, 1);
}

static void xe_execlist_test_module_waits_for_the_end_of_a_queue(struct kunit *test)
{
	struct job_test *t = test->priv;

	xe_exec_queue_put(create_queue(test, 1, 0));
	unplug(t);
	xe_device_module_exit();
	KUNIT_EXPECT_TRUE(test, list_empty(&t->xe->exec_queues.list));
	KUNIT_EXPECT_EQ(test, kref_read(&t->lrc[0].refcount), 1);
}

/* The timer adds itself again, as it may be doing right now. */
static void xe_execlist_test_port_stops_its_timer_for_good(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct xe_execlist_port *port = t->hwe->exl_port;
	struct xe_lrc *lrc = fake_lrc_create(t->hwe, NULL, SZ_16K);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, lrc);
	spin_lock_init(&t->xe->irq.lock);
	port->lrc = lrc;
	timer_setup(&port->irq_fail, xe_execlist_port_irq_fail_timer, 0);
	mod_timer(&port->irq_fail, jiffies + 60 * HZ);
	xe_execlist_port_destroy(port);
	mod_timer(&port->irq_fail, jiffies + 60 * HZ);
	KUNIT_EXPECT_FALSE(test, timer_pending(&port->irq_fail));
	timer_delete_sync(&port->irq_fail);
}

static struct kunit_case execlist_test_cases[] = {
	KUNIT_CASE(xe_execlist_test_finished_when_the_gpu_has_completed_it),
	KUNIT_CASE(xe_execlist_test_fails_if_it_is_ready_after_the_unbind),
	KUNIT_CASE(xe_execlist_test_module_waits_for_the_end_of_a_queue),
	KUNIT_CASE(xe_execlist_test_port_stops_its_timer_for_good),
	{}
};

static struct kunit_suite execlist_suite = {
	.name = "xe_execlist_job",
	.test_cases = execlist_test_cases,
	.init = execlist_test_init,
	.exit = job_test_exit,
};

kunit_test_suites(&execlist_suite);
