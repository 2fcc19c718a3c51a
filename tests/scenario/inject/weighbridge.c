// SPDX-License-Identifier: BSD-2-Clause
/* weighbridge WAY [PROCESSES [ROUNDS [UNDER]]]: processes that share a set of System V's semaphores. WAY: lock (each works ROUNDS, and
 * UNDER of a thousand of that while it has the semaphore), orders (one of them hands out work by it, for which the others wait). */
#include <sys/ipc.h>
#include <sys/sem.h>

#include "inject.h"

static int set;
static unsigned rounds, under;

static void change(short by)
{
	struct sembuf operation = {.sem_op = by};

	while (semop(set, &operation, 1) < 0)
		;
}

__attribute__((noinline)) static uint64_t weigh_lorry(uint64_t seed)
{
	change(-1);
	seed = work(rounds / 1000 * under, seed);
	change(1);
	return seed;
}

static void haul(void *arg)
{
	for (uint64_t seed = 1;;)
		seed = work(rounds / 1000 * (1000 - under), weigh_lorry(seed));
}

static void carry_out_order(void *arg)
{
	for (uint64_t seed = 1;;) {
		change(-1);
		seed = work(rounds, seed);
	}
}

static void give_orders(void *arg)
{
	for (;;) {
		change(1);
		sleep_ns(2000000);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	bool orders = !strcmp(argv[1], "orders");
	unsigned processes = argument(argc, argv, 2, 4);

	rounds = argument(argc, argv, 3, 200000);
	under = argument(argc, argv, 4, 700);
	/* Nobody takes the set away when all are killed: the next one uses it again. */
	set = semget(0x77656967, 1, IPC_CREAT | 0600);
	if (set < 0 || semctl(set, 0, SETVAL, 0) < 0)
		return 1;
	die_with_parent();
	for (unsigned i = 0; i < processes; i++)
		spawn("weighbridge", orders ? carry_out_order : haul, NULL);
	if (orders)
		spawn("weighbridge", give_orders, NULL);
	else
		change(1);
	pause();
	return 0;
}
