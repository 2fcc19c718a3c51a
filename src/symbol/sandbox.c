// SPDX-License-Identifier: BSD-2-Clause
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem.h"

#define NOBODY 65534
#define HEAP_MAX (1ull << 30)
#define ADDRESSES_MAX (256ull << 30) /* mapped files; they cost no memory of ours */

#if defined(__SANITIZE_ADDRESS__)
#define SHADOW_MEMORY 1 /* terabytes of it */
#else
#define SHADOW_MEMORY 0
#endif

/* A directory without a name: nothing is in it, and nothing can be put there. */
static void enter_empty_root(void)
{
	char path[] = "/tmp/perfscope-XXXXXX";

	if (!mkdtemp(path))
		return;
	int entered = chdir(path);
	rmdir(path);
	if (entered == 0 && chroot(".") < 0)
		entered = chdir("/");
}

/* Only possible before the identity changes. */
static void empty_bounding_set(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap) < 0)
			return;
}

/* False where a user namespace maps too few ids; the capabilities go in any case. */
static bool become_nobody(void)
{
	return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int sandbox_drop_privileges(void)
{
	enter_empty_root();
	empty_bounding_set();
	if (geteuid() == 0)
		become_nobody();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return drop_capabilities();
}

static int limit(int resource, rlim_t value)
{
	struct rlimit old;

	if (getrlimit(resource, &old) < 0)
		return -errno;
	if (old.rlim_max < value)
		value = old.rlim_max;
	return setrlimit(resource, &(struct rlimit){value, value}) < 0 ? -errno : 0;
}

int sandbox_limit(void)
{
	int r = limit(RLIMIT_CORE, 0);

	if (r >= 0 && !SHADOW_MEMORY)
		r = limit(RLIMIT_DATA, HEAP_MAX);
	if (r >= 0 && !SHADOW_MEMORY)
		r = limit(RLIMIT_AS, ADDRESSES_MAX);
	if (r >= 0)
		r = limit(RLIMIT_FSIZE, 0);
	if (r >= 0)
		r = limit(RLIMIT_NOFILE, 65536);
	if (r >= 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = -errno;
	return r;
}

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

static const int allowed[] = {
	SYS_recvmsg, SYS_sendmsg, SYS_read, SYS_pread64, SYS_write, SYS_writev, SYS_lseek,
	SYS_close, SYS_fstat, SYS_newfstatat, SYS_fcntl,
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk,
	SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction,
	SYS_sigaltstack, SYS_setitimer, SYS_clock_gettime, SYS_getrusage, SYS_getpid, SYS_gettid,
	SYS_futex, SYS_sched_yield, SYS_getrandom,
};

#define FIELD(name) offsetof(struct seccomp_data, name)

int sandbox_filter_calls(void)
{
	enum { HEAD = 10, COUNT = HEAD + 2 * ARRAY_SIZE(allowed) + 1 };
	const struct sock_filter head[HEAD] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		/* Nothing becomes executable. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(nr)),
	};
	struct sock_filter filter[COUNT];
	struct sock_fprog program = {.len = COUNT, .filter = filter};
	size_t n = 0;

	for (; n < HEAD; n++)
		filter[n] = head[n];
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		filter[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	filter[n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}
