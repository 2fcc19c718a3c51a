// SPDX-License-Identifier: BSD-2-Clause
/* A runtime with two stacks to a thread, as Go's: main calls serve(), which goes over to another stack to compute. There is no
 * frame information, only frame pointers. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { STACK = 64 << 10 };

void call_on(void *stack, void (*function)(void));
__asm__(".text\n.globl call_on\n.type call_on, @function\ncall_on:\n"
	"push %rbp\nmov %rsp, %rbp\nmov %rdi, %rsp\ncall *%rsi\nmov %rbp, %rsp\npop %rbp\nret\n.size call_on, .-call_on\n");

static volatile uint64_t sum;

static __attribute__((noinline)) void compute(void)
{
	for (int i = 0; i < 1000000; i++)
		sum += (uint64_t)i * i;
	__asm__ volatile("");
}

static __attribute__((noinline)) void serve(char *stack)
{
	call_on(stack + STACK, compute);
	__asm__ volatile("");
}

int main(int argc, char **argv)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);

	while (stack != MAP_FAILED && time(NULL) < end)
		serve(stack);
	return 0;
}
