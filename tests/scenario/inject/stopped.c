// SPDX-License-Identifier: BSD-2-Clause
/* stopped STOP-MS GO-MS: a process that has work is stopped by a signal, again and again. With GO-MS 0 it has none and is
 * stopped once, as a job that was put aside. */
#include "inject.h"

__attribute__((noinline, noclone)) static void keep_books(void *arg)
{
	uint64_t seed = 1;

	for (;;) {
		seed = work(2000000, seed);
		sleep_ns(5000000);
	}
}

int main(int argc, char **argv)
{
	unsigned stop_ms = argument(argc, argv, 1, 200), go_ms = argument(argc, argv, 2, 300);
	pid_t pid;

	die_with_parent();
	pid = spawn("bookkeeper", keep_books, NULL);
	sleep_ns(50000000);
	for (;;) {
		kill(pid, SIGSTOP);
		if (!go_ms)
			pause();
		sleep_ns(stop_ms * 1000000u);
		kill(pid, SIGCONT);
		sleep_ns(go_ms * 1000000u);
	}
}
