// SPDX-License-Identifier: BSD-2-Clause
/* turns FILE: records the machine as `record -o FILE` does, and lets the same load be watched and unwatched in short turns: of the
 * lines of standard input, "off" takes all programs off their hooks and stops the sampling clock, "on" undoes that. Each is
 * answered with "ok" once it is so. What keeps account of switches meanwhile knows nothing of them: the file is of no use. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "cleanup.h"
#include "fail.h"
#include "loop.h"
#include "recorder.h"
#include "store.h"

enum { MOST_HOOKS = 256 };

struct turns {
	struct loop *loop;
	struct recorder *recorder;
	int hook[MOST_HOOKS], program[MOST_HOOKS]; /* descriptors of links that were taken off, and what they led to */
	size_t count;
};

/* A descriptor of a program's link to a tracepoint in the kernel: one of its program, else -1. */
static int linked_program(int fd)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || info.type != BPF_LINK_TYPE_TRACING ||
	    info.tracing.attach_type != BPF_TRACE_RAW_TP)
		return -1;
	return bpf_prog_get_fd_by_id(info.prog_id);
}

/* The link goes when its last descriptor does; the number stays, for what will be its new link. */
static void take_off(struct turns *t, int fd, int nothing)
{
	int program = t->count < MOST_HOOKS ? linked_program(fd) : -1;

	if (program < 0)
		return;
	t->hook[t->count] = fd;
	t->program[t->count++] = program;
	dup3(nothing, fd, O_CLOEXEC);
}

static void put_back(struct turns *t)
{
	for (size_t i = 0; i < t->count; i++) {
		int link = bpf_raw_tracepoint_open(NULL, t->program[i]);

		if (link >= 0) {
			dup3(link, t->hook[i], O_CLOEXEC);
			close(link);
		}
		close(t->program[i]);
	}
	t->count = 0;
}

static void turn(struct turns *t, bool on)
{
	_cleanup_close_ int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[64];

	if (!folder || nothing < 0)
		exit(EXIT_FAILURE);
	while ((entry = readdir(folder))) {
		int fd = atoi(entry->d_name);
		ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

		target[length > 0 ? length : 0] = 0;
		if (!strcmp(target, "anon_inode:[perf_event]"))
			ioctl(fd, on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
		else if (!on && strstr(target, "bpf_link"))
			take_off(t, fd, nothing);
	}
	closedir(folder);
	if (on)
		put_back(t);
}

static int command(void *arg, uint32_t events)
{
	struct turns *t = arg;
	char line[16];

	if (!fgets(line, sizeof(line), stdin)) {
		loop_stop(t->loop);
		return 0;
	}
	turn(t, !strcmp(line, "on\n"));
	printf("ok %zu\n", t->count);
	fflush(stdout);
	return 0;
}

static int run(struct turns *t, struct store *s)
{
	int r = recorder_new(s, t->loop, &(struct recorder_options){.frequency = 99, .slice_ns = NS_PER_S}, &t->recorder);

	if (r < 0 || (r = loop_add_fd(t->loop, STDIN_FILENO, EPOLLIN, command, t, NULL)) < 0)
		return r;
	printf("ready\n");
	fflush(stdout);
	r = loop_run(t->loop);
	return r < 0 ? r : recorder_stop(t->recorder);
}

int main(int argc, char **argv)
{
	_cleanup_(loop_freep) struct loop *loop = NULL;
	_cleanup_(store_freep) struct store *s = NULL;
	struct turns t = {0};
	int r = argc == 2 ? store_create(argv[1], &s) : failx(-22, "usage: turns FILE");

	setvbuf(stdin, NULL, _IONBF, 0); /* or a second line would wait unseen */
	signal(SIGPIPE, SIG_IGN);
	if (r >= 0)
		r = loop_new(&loop);
	t.loop = loop;
	if (r >= 0)
		r = run(&t, s);
	recorder_free(t.recorder);
	if (r < 0)
		fprintf(stderr, "turns: %s\n", fail_message());
	return r < 0;
}
