// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The state of a render context comes from user space, which a KUnit test has none of.
 */

#include <kunit/test.h>

#include "tests/pvr_test.h"

static int pvr_test_context_state(struct pvr_device *pvr_dev,
				  const struct pvr_stream_cmd_defs *cmd_defs,
				  u64 stream_user_ptr, u32 stream_size, void *dest)
{
	return 0;
}

/**
 * pvr_test_take_context_state - let contexts be created without a state
 * @test: the running test
 */
void pvr_test_take_context_state(struct kunit *test)
{
	kunit_activate_static_stub(test, process_static_context_state, pvr_test_context_state);
}
