// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into User Mode Linux, which has room for 2696 bytes of a process's FPU
 * state.  Where the host's processor has more of it (AMX: 11008), the host refuses
 * to restore a part, and UML kills its init: "ptrace set fp regs failed".  Tell it
 * that the host knows no extended state: it then asks for the old 512 bytes.  The
 * rest stays as it is in the host process that each process of UML is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/ptrace.h>
#include <sys/types.h>

long ptrace(enum __ptrace_request request, ...)
{
	long (*next)(enum __ptrace_request request, ...) = dlsym(RTLD_NEXT, "ptrace");
	void *addr, *data;
	va_list ap;
	pid_t pid;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);

	if (request == PTRACE_GETREGSET && (long)addr == NT_X86_XSTATE) {
		errno = EINVAL;
		return -1;
	}
	return next(request, pid, addr, data);
}
