// SPDX-License-Identifier: BSD-2-Clause
/* The kernel's types are 5 MB, which libbpf reads and lists anew for each object that it loads, and which can be read by 4 KB only: those
 * were half of the system calls of a recording's start. They never change: whoever wants them while somebody else has them gets the same. The linker
 * replaces libbpf's two functions by these. */
#include <bpf/btf.h>
#include <pthread.h>
#include <stdbool.h>

struct btf *__real_btf__load_vmlinux_btf(void);
struct btf *__wrap_btf__load_vmlinux_btf(void);
void __real_btf__free(struct btf *btf);
void __wrap_btf__free(struct btf *btf);

/* Of the process, as libbpf's functions are. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct btf *kernel;
static unsigned users;

struct btf *__wrap_btf__load_vmlinux_btf(void)
{
	pthread_mutex_lock(&lock);
	if (!users)
		kernel = __real_btf__load_vmlinux_btf();
	users += kernel != NULL;
	struct btf *btf = kernel;
	pthread_mutex_unlock(&lock);
	return btf;
}

void __wrap_btf__free(struct btf *btf)
{
	pthread_mutex_lock(&lock);
	bool shared = btf && btf == kernel;
	if (shared && --users == 0) {
		kernel = NULL;
		shared = false;
	}
	pthread_mutex_unlock(&lock);
	if (!shared)
		__real_btf__free(btf);
}
