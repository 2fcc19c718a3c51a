// SPDX-License-Identifier: BSD-2-Clause
#include "stack_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGN 64
#define KEEP (1u << 20)

int stack_ring_init(struct stack_ring *r, size_t size)
{
	*r = (struct stack_ring){
		.fd = memfd_create("perfscope-stacks", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
	if (r->fd < 0)
		return -errno;
	/* The other side must not be able to take the memory away under this one. */
	if (ftruncate(r->fd, (off_t)size) < 0 ||
	    fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		r->base = MAP_FAILED;
	else
		r->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (r->base == MAP_FAILED) {
		int error = errno;

		close(r->fd);
		*r = (struct stack_ring){.fd = -1};
		return -error;
	}
	r->size = size;
	madvise(r->base, size, MADV_DONTDUMP);
	mlock2(r->base, size, MLOCK_ONFAULT); /* as far as the limits allow */
	return 0;
}

void stack_ring_done(struct stack_ring *r)
{
	if (r->fd < 0)
		return;
	explicit_bzero(r->base, r->high);
	munmap(r->base, r->size);
	close(r->fd);
	*r = (struct stack_ring){.fd = -1};
}

static size_t aligned(size_t len)
{
	return len < ALIGN ? ALIGN : (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

size_t stack_ring_take(struct stack_ring *r, size_t len)
{
	size_t at, need = aligned(len);

	if (!r->pieces)
		r->head = r->tail = 0;
	bool wrapped = r->pieces && r->head <= r->tail;
	if (need <= (wrapped ? r->tail : r->size) - r->head)
		at = r->head;
	else if (!wrapped && need <= r->tail)
		at = 0;
	else
		return SIZE_MAX;
	r->head = at + need;
	r->pieces++;
	if (r->high < r->head)
		r->high = r->head;
	return at;
}

void stack_ring_give_back(struct stack_ring *r, size_t at, size_t len)
{
	r->pieces--;
	r->tail = at + aligned(len);
}

void stack_ring_trim(struct stack_ring *r)
{
	bool wrapped = r->pieces && r->head <= r->tail;
	size_t keep = r->pieces && r->head > KEEP ? r->head : KEEP;

	if (r->fd < 0 || wrapped || r->high <= keep)
		return;
	/* Of the page that is in use in part, the kernel clears the other part. */
	if (fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)keep,
		      (off_t)(r->size - keep)) == 0)
		r->high = keep;
}
