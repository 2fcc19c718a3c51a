// SPDX-License-Identifier: BSD-2-Clause
#include "capabilities.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

static const unsigned char kept[] = {
	CAP_BPF, CAP_PERFMON,  /* iterators, and events of CPUs that come online */
	CAP_SYS_ADMIN,         /* uprobes of runtimes, /proc/PID/map_files, the freezer */
	CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYSLOG, /* maps, executables and memory of who is sampled first now */
	CAP_DAC_OVERRIDE,      /* the recording may lie in another user's folder */
	CAP_KILL,              /* the children that parse are nobody's, */
	CAP_SYS_CHROOT, CAP_SETUID, CAP_SETGID, CAP_SETPCAP, /* and more may be made: all four are what they give up */
	CAP_SYS_NICE, CAP_IPC_LOCK, CAP_SYS_RESOURCE,
};

void capabilities_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint32_t keep[2] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		keep[kept[i] / 32] |= 1u << kept[i] % 32;
	if (syscall(SYS_capget, &header, data) == 0) {
		for (int i = 0; i < 2; i++) {
			data[i].effective &= keep[i];
			data[i].permitted &= keep[i];
			data[i].inheritable &= keep[i];
		}
		if (syscall(SYS_capset, &header, data) == 0)
			return;
	}
	log_warning("capabilities could not be given up");
}
