// SPDX-License-Identifier: GPL-2.0
/* What dma_fence_ops.cocci finds (bad), and what not (good). */

struct sample {
	struct dma_fence base;
	int x;
};

static void bad_names(struct dma_fence *fence, struct sample *s)
{
	pr_info("%s", fence->ops->get_driver_name(fence));
	pr_info("%s", fence->ops->get_timeline_name(fence));
	pr_info("%s", s->base.ops->get_driver_name(&s->base));
}

static bool bad_calls(struct dma_fence *fence, struct sample *s)
{
	if (fence->ops->signaled && fence->ops->signaled(fence))
		return true;
	if (fence->ops->set_deadline)
		fence->ops->set_deadline(fence, ktime_get());
	if (s->base.ops->signaled(&s->base))
		return true;
	return fence->ops->wait(fence, true, HZ) > 0;
}

static bool bad_copies(struct dma_fence *fence, struct sample *s)
{
	const struct dma_fence_ops *ops = fence->ops;
	const struct dma_fence_ops *second;

	second = s->base.ops;
	return ops == second;
}

static bool bad_unasked(struct dma_fence *fence)
{
	const struct dma_fence_ops *ops;
	bool ret;

	rcu_read_lock();
	ret = rcu_dereference(fence->ops)->release;
	ops = rcu_dereference(fence->ops);
	ret |= ops->wait;
	rcu_read_unlock();
	return ret;
}

static bool good_asked(struct dma_fence *fence, struct dma_fence *other)
{
	const struct dma_fence_ops *ops;
	bool ret = false;

	rcu_read_lock();
	ops = rcu_dereference(fence->ops);
	if (ops && !ops->signaled)
		ret = true;
	ops = rcu_dereference(other->ops);
	ret |= ops ? ops->release : NULL;
	ops = rcu_dereference(other->ops);
	if (ops)
		ret |= ops->wait;
	ops = rcu_dereference(fence->ops);
	if (!ops || !ops->release)
		ret = false;
	ops = rcu_dereference(other->ops);
	if (!ops) {
		rcu_read_unlock();
		return true;
	}
	ret |= ops->release;
	rcu_read_unlock();
	return ret;
}

static void good_names(struct dma_fence *fence)
{
	rcu_read_lock();
	pr_info("%s", rcu_dereference(dma_fence_driver_name(fence)));
	rcu_read_unlock();
}

struct other {
	const struct other_ops *ops;
};

static void good_other(struct other *o, struct sample *s)
{
	const struct other_ops *ops = o->ops;

	o->ops->signaled(o);
	ops->wait(o);
	s->x = 1;
}
