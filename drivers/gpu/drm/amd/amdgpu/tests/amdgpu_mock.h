/* SPDX-License-Identifier: MIT */
/*
 * A device of amdgpu without hardware: two rings with a scheduler and a KIQ, whose
 * sequence numbers are plain memory that the test writes. The code that runs on
 * it is the driver's.
 */

#ifndef __AMDGPU_MOCK_H__
#define __AMDGPU_MOCK_H__

#include <kunit/test.h>

#include <linux/device.h>
#include <linux/jiffies.h>

#include "amdgpu.h"
#include "mock-issuer.h"

/**
 * struct amdgpu_mock - the device and what its hardware has been told
 *
 * Stays until the end of the test, while amdgpu_mock_unload() frees @adev and all
 * that is in it.
 *
 * @test: the running test
 * @dev: the device
 * @adev: the driver's, or NULL after amdgpu_mock_unload()
 * @ring: sdma0, in @adev, with a scheduler
 * @other: sdma1, likewise
 * @kiq: in @adev, without one
 * @wb: where the rings have their sequence numbers
 * @debug_locks: what that was when this was created
 * @irq_src: the source of the rings' interrupts
 * @irq_enabled: how often it has been enabled
 * @irq_state: what the hardware was last told
 * @emitted: fences that the hardware was told to write
 * @ibs: IBs that it was told to run
 * @seq: what it was told to write last
 * @addr: and where to
 * @flags: AMDGPU_FENCE_FLAG_*
 * @vm_flushes: how often it was told to flush a VM
 * @preempt_error: what a preemption of the ring returns
 * @used: how often the driver began to write to a ring for a job
 * @on_begin_use: called before anything is written to a ring for a job, or NULL
 * @priv: what that may want
 * @on_soft_recovery: what the hardware does to recover, or NULL for nothing
 * @reset_error: what a reset of the ring returns
 * @resets: how many there were
 * @flushes: TLB flushes
 * @pasid: of the last one
 * @dma_parms: of @dev, see amdgpu_mock_add_memory()
 */
struct amdgpu_mock {
	struct kunit *test;
	struct device *dev;
	struct amdgpu_device *adev;
	struct amdgpu_ring *ring;
	struct amdgpu_ring *other;
	struct amdgpu_ring *kiq;
	u32 *wb;
	bool debug_locks;
	struct amdgpu_irq_src irq_src;
	atomic_t irq_enabled;
	enum amdgpu_interrupt_state irq_state;
	atomic_t emitted;
	atomic_t ibs;
	u32 seq;
	u64 addr;
	unsigned int flags;
	atomic_t vm_flushes;
	int preempt_error;
	atomic_t used;
	void (*on_begin_use)(struct amdgpu_mock *mock, struct amdgpu_ring *ring);
	void *priv;
	void (*on_soft_recovery)(struct amdgpu_ring *ring);
	int reset_error;
	atomic_t resets;
	atomic_t flushes;
	u16 pasid;
	struct device_dma_parameters dma_parms;
};

struct amdgpu_mock *amdgpu_mock_create(struct kunit *test);
void amdgpu_mock_unload(struct amdgpu_mock *mock);
void amdgpu_mock_unplug(struct amdgpu_mock *mock);
void amdgpu_mock_add_memory(struct amdgpu_mock *mock);

/**
 * amdgpu_mock_complete - the hardware is done with all up to a sequence number
 * @ring: the ring
 * @seq: the number
 *
 * It raises no interrupt, which is amdgpu_fence_process().
 */
static inline void amdgpu_mock_complete(struct amdgpu_ring *ring, u32 seq)
{
	WRITE_ONCE(*ring->fence_cpu_addr, (__force u32)cpu_to_le32(seq));
}

/**
 * amdgpu_mock_complete_all - the hardware is done with all, and says so
 * @ring: the ring
 */
static inline void amdgpu_mock_complete_all(struct amdgpu_ring *ring)
{
	amdgpu_mock_complete(ring, READ_ONCE(ring->fence_drv.sync_seq));
	amdgpu_fence_process(ring);
}

struct dma_fence *amdgpu_mock_emit(struct amdgpu_mock *mock);
int amdgpu_mock_awake(struct amdgpu_mock *mock);
void amdgpu_mock_fill_dependencies(struct kunit *test, struct amdgpu_job *job);
void amdgpu_mock_use(struct kunit *test, struct dma_fence *fence, int status);
void amdgpu_mock_last_put(struct kunit *test, struct dma_fence *fence);

#endif
