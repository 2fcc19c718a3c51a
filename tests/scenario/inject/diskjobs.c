// SPDX-License-Identifier: BSD-2-Clause
/* diskjobs FILE MIB JOB...: processes that use FILE (a block device, or made here with MIB of data). A JOB is
 * NAME,OPERATION,THREADS,KIB,PAUSE-US: its process's name, what each thread does over and over with so many KIB, and how
 * long it rests in between. */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "inject.h"

#define MIB (1u << 20)

static const char *path;
static uint64_t file_bytes;

struct job {
	char name[16], operation[16];
	unsigned threads, kib, pause_us;
};

struct place {
	int fd;
	char *block, *map;
	size_t bytes;
	uint64_t seed, next;
};

static off_t anywhere(struct place *p)
{
	p->seed = work(1, p->seed);
	return (off_t)((p->seed >> 20) % (file_bytes / p->bytes) * p->bytes);
}

static off_t behind(struct place *p)
{
	off_t at = (off_t)p->next;

	p->next = (p->next + p->bytes) % (file_bytes / p->bytes * p->bytes);
	return at;
}

/* What goes wrong is the device's doing: a program that goes on is what is wanted here. */
static void let(ssize_t done)
{
	if (done < 0)
		sleep_ns(1000000);
}

__attribute__((noinline)) static void fetch_block(struct place *p)
{
	let(pread(p->fd, p->block, p->bytes, anywhere(p)));
}

__attribute__((noinline)) static void store_block(struct place *p)
{
	let(pwrite(p->fd, p->block, p->bytes, anywhere(p)));
}

__attribute__((noinline)) static void append_block(struct place *p)
{
	let(pwrite(p->fd, p->block, p->bytes, behind(p)));
}

__attribute__((noinline)) static void commit_block(struct place *p)
{
	append_block(p);
	let(fdatasync(p->fd));
}

__attribute__((noinline)) static void save_range(struct place *p)
{
	off_t at = (off_t)p->next;

	append_block(p);
	let(sync_file_range(p->fd, at, (off_t)p->bytes, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			    SYNC_FILE_RANGE_WAIT_AFTER));
}

__attribute__((noinline)) static void save_all(struct place *p)
{
	append_block(p);
	let(syncfs(p->fd));
}

__attribute__((noinline)) static void save_page(struct place *p)
{
	char *page = p->map + behind(p);

	memcpy(page, p->block, p->bytes);
	let(msync(page, p->bytes, MS_SYNC));
}

__attribute__((noinline)) static void write_safely(struct place *p)
{
	struct iovec part = {p->block, p->bytes};

	let(pwritev2(p->fd, &part, 1, behind(p), RWF_DSYNC));
}

/* One half of the file to the other. */
__attribute__((noinline)) static void copy_block(struct place *p)
{
	off_t half = (off_t)(file_bytes / 2 / p->bytes * p->bytes), at = behind(p) % half;

	let(pread(p->fd, p->block, p->bytes, at));
	let(pwrite(p->fd, p->block, p->bytes, half + at));
	if (!at)
		posix_fadvise(p->fd, 0, 0, POSIX_FADV_DONTNEED);
}

static const struct operation {
	const char *name;
	void (*run)(struct place *p);
	int flags;
} operations[] = {
	{"fetch", fetch_block, O_DIRECT}, {"store", store_block, O_DIRECT}, {"append", append_block, 0},
	{"commit", commit_block, 0}, {"copy", copy_block, 0}, {"write-through", append_block, O_DSYNC},
	{"range", save_range, 0}, {"everything", save_all, 0}, {"map", save_page, 0}, {"safe", write_safely, 0},
};

static struct place open_place(const struct job *j, int flags, uint64_t number)
{
	struct place p = {.fd = open(path, O_RDWR | flags), .bytes = (size_t)j->kib << 10, .seed = number + now_ns()};

	p.map = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0);
	if (p.fd < 0 || p.map == MAP_FAILED || !(p.block = aligned_alloc(4096, p.bytes)))
		_exit(1);
	memset(p.block, 'x', p.bytes);
	return p;
}

struct thread {
	const struct job *job;
	const struct operation *operation;
	uint64_t number;
};

static void *run_thread(void *arg)
{
	const struct thread *t = arg;
	struct place p = open_place(t->job, t->operation->flags, t->number);

	p.next = t->number * file_bytes / t->job->threads / p.bytes * p.bytes;
	for (;;) {
		t->operation->run(&p);
		if (t->job->pause_us)
			sleep_ns(t->job->pause_us * 1000ull);
	}
	return NULL;
}

/* One thread that keeps so many requests on their way at a time. */
__attribute__((noinline)) static void stream_blocks(const struct job *j)
{
	struct place p = open_place(j, O_DIRECT, 1);
	aio_context_t context = 0;
	struct iocb *blocks = calloc(j->threads, sizeof(*blocks));
	struct io_event event;

	if (!blocks || syscall(SYS_io_setup, j->threads, &context))
		_exit(1);
	for (unsigned i = 0; i < j->threads; i++) {
		struct iocb *b = &blocks[i];

		*b = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)p.fd,
				   .aio_buf = (uintptr_t)p.block, .aio_nbytes = p.bytes, .aio_offset = anywhere(&p)};
		if (syscall(SYS_io_submit, context, 1, &b) != 1)
			_exit(1);
	}
	while (syscall(SYS_io_getevents, context, 1, 1, &event, NULL) == 1) {
		struct iocb *b = (struct iocb *)(uintptr_t)event.obj;

		b->aio_offset = anywhere(&p);
		if (syscall(SYS_io_submit, context, 1, &b) != 1)
			_exit(1);
	}
}

static void run_job(void *arg)
{
	const struct job *j = arg;
	struct thread *threads = calloc(j->threads, sizeof(*threads));

	if (!strcmp(j->operation, "stream"))
		stream_blocks(j);
	for (size_t i = 0; threads && i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(operations[i].name, j->operation))
			continue;
		for (unsigned n = 0; n < j->threads; n++) {
			pthread_t thread;

			threads[n] = (struct thread){j, &operations[i], n};
			if (pthread_create(&thread, NULL, run_thread, &threads[n]))
				_exit(1);
		}
		pause();
	}
	fprintf(stderr, "diskjobs: no operation '%s'\n", j->operation);
}

/* Blocks that were never written would be read without the disk. */
static int make_file(unsigned mib)
{
	int fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
	char *block = aligned_alloc(4096, MIB);
	struct stat s;

	if (fd < 0 || !block || fstat(fd, &s))
		return -1;
	file_bytes = (uint64_t)mib * MIB;
	memset(block, 'x', MIB);
	for (unsigned i = 0; !S_ISBLK(s.st_mode) && i < mib; i++)
		if (pwrite(fd, block, MIB, (off_t)i * MIB) != MIB)
			return -1;
	free(block);
	return close(fd);
}

int main(int argc, char **argv)
{
	die_with_parent();
	if (argc < 4)
		return 2;
	path = argv[1];
	if (make_file(argument(argc, argv, 2, 64))) {
		perror(path);
		return 1;
	}
	for (int i = 3; i < argc; i++) {
		static struct job job;

		if (sscanf(argv[i], "%15[^,],%15[^,],%u,%u,%u", job.name, job.operation, &job.threads, &job.kib,
			   &job.pause_us) != 5)
			return 2;
		spawn(job.name, run_job, &job);
	}
	printf("ready\n");
	fflush(stdout);
	pause();
	return 0;
}
