// SPDX-License-Identifier: BSD-2-Clause
#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "io.h"
#include "kept_files.h"
#include "mem.h"

#define MOST_BYTES (16 << 20)
#define LONGEST_COMMAND 4096

DEFINE_CLEANUP(DIR *, closedir)

static int read_proc(uint32_t pid, const char *file, size_t max, struct buf *b)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, file);
	return read_file(path, max, b);
}

int proc_comm(uint32_t pid, char comm[16])
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int r = read_proc(pid, "comm", 64, &b);

	if (r < 0)
		return r;
	snprintf(comm, 16, "%.*s", (int)strcspn(b.data, "\n"), b.data);
	return 0;
}

void arguments_join(const char *data, size_t len, struct buf *command)
{
	while (len && !data[len - 1])
		len--;
	if (len > LONGEST_COMMAND)
		len = LONGEST_COMMAND;
	for (size_t i = 0; i < len; i++)
		buf_addch(command, data[i] ? data[i] : ' ');
}

int proc_command(uint32_t pid, struct buf *command)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int r = read_proc(pid, "cmdline", MOST_BYTES, &b);

	if (r < 0)
		return r;
	arguments_join(b.data, b.len, command);
	return 0;
}

int proc_memory(struct kept_files *files, uint32_t pid, struct proc_memory *ret_memory)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned long long size, resident, shared, data;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%u/statm", pid);
	if ((r = kept_files_read(files, path, 4096, &b)) < 0)
		return r;
	if (sscanf(b.data, "%llu %llu %llu %*u %*u %llu", &size, &resident, &shared, &data) != 4)
		return -EINVAL;
	*ret_memory = (struct proc_memory){
		.resident = resident * page,
		.shared = shared * page,
		.private = resident > shared ? (resident - shared) * page : 0,
		.data = data * page,
		.mapped = size > data ? (size - data) * page : 0,
	};
	return 0;
}

int proc_age(uint32_t pid, uint64_t *ret_ns)
{
	enum { START_FIELD = 22, AFTER_NAME = 2 };
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	struct timespec now;
	char file[32];

	/* Of its leader: that of the process adds up the times of all threads. */
	snprintf(file, sizeof(file), "task/%u/stat", pid);
	int r = read_proc(pid, file, 4096, &b);
	if (r < 0)
		return r;
	/* A name may hold blanks and brackets: the fields begin behind the last bracket. */
	const char *at = strrchr(b.data, ')');
	for (int field = AFTER_NAME; at && field < START_FIELD; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EINVAL;
	clock_gettime(CLOCK_BOOTTIME, &now);
	uint64_t now_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	uint64_t start_ns = strtoull(at, NULL, 10) * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	*ret_ns = now_ns > start_ns ? now_ns - start_ns : 0;
	return 0;
}

int proc_exe(uint32_t pid, struct buf *path)
{
	char link[64], target[4096];

	snprintf(link, sizeof(link), "/proc/%u/exe", pid);
	ssize_t n = readlink(link, target, sizeof(target));
	if (n < 0)
		return -errno;
	buf_add(path, target, (size_t)n);
	return 0;
}

/* One "Name:\tvalue" line of /proc/PID/status. */
static int status_number(uint32_t pid, const char *name, uint32_t *ret_value)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int r = read_proc(pid, "status", 1 << 16, &b);
	const char *line;

	if (r < 0)
		return r;
	line = strstr(b.data, name);
	return line && sscanf(line + strlen(name), "%u", ret_value) == 1 ? 0 : -EINVAL;
}

int proc_parent(uint32_t pid, uint32_t *ret_ppid)
{
	return status_number(pid, "\nPPid:", ret_ppid);
}

bool proc_lives(uint32_t tid, uint32_t pid)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	unsigned int owner;
	char state;

	int r = read_proc(tid, "status", 1 << 16, &b);
	if (r < 0)
		return r != -ENOENT && r != -ESRCH;
	const char *line = strstr(b.data, "\nState:");
	return line && sscanf(line, "\nState: %c %*[^\n] Tgid: %u", &state, &owner) == 2 && !strchr("ZX", state) && owner == pid;
}

int proc_shared_memory(uint32_t pid, uint64_t *ret_bytes)
{
	uint32_t kib;
	int r = status_number(pid, "\nRssShmem:", &kib);

	if (r == 0)
		*ret_bytes = (uint64_t)kib * 1024;
	return r;
}

/* Whether a list of controllers begins with that one; "name=" with any name. */
static bool leads(const char *controllers, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(controllers, name, n) && (strchr(",", controllers[n]) || (n && name[n - 1] == '='));
}

/* How much a line of /proc/PID/cgroup ("ID:CONTROLLERS:PATH") says about where a process belongs. */
static int telling(const char *controllers, const char *path)
{
	static const char *const order[] = {"name=", "cpuset", "blkio", "pids", "memory", "cpu", ""};

	if (!strcmp(path, "/"))
		return 0;
	for (size_t i = ARRAY_SIZE(order); i-- > 0;)
		if (leads(controllers, order[i]))
			return (int)i + 2;
	return 1;
}

void cgroup_choose(char *lines, struct buf *path)
{
	const char *best = "/";
	int most = 0;

	for (char *line; (line = strsep(&lines, "\n"));) {
		char *controllers = strchr(line, ':');
		char *where = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!where)
			continue;
		*where++ = 0;
		int score = telling(controllers + 1, where);
		if (score > most) {
			most = score;
			best = where;
		}
	}
	buf_addstr(path, best);
}

int proc_cgroup(uint32_t pid, struct buf *path)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int r = read_proc(pid, "cgroup", 1 << 16, &b);

	if (r == 0)
		cgroup_choose(b.data, path);
	return r;
}

int proc_freezer(uint32_t pid, struct buf *path)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char file[32];

	snprintf(file, sizeof(file), "/proc/%u/cgroup", pid);
	int r = read_file(file, MOST_BYTES, &b);
	if (r < 0)
		return r;
	char *rest = b.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *controllers = strchr(line, ':'), *where = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!where || !strcmp(where, ":/"))
			continue;
		*where++ = 0;
		/* The unified hierarchy has no names and can always freeze. */
		if (!controllers[1] || !strcmp(controllers + 1, "freezer"))
			buf_addstr(path, path->len ? "" : where);
	}
	return path->len ? 0 : -ENOENT;
}

static void parse_mapping(char *line, void (*each)(void *arg, const struct proc_mapping *m), void *arg)
{
	unsigned long long start, end, offset, inode;
	unsigned int major, minor;
	char access[5];
	int path = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, access, &offset, &major, &minor,
		   &inode, &path) < 7 || access[2] != 'x')
		return;
	each(arg, &(struct proc_mapping){.start = start, .end = end, .offset = offset, .major = major,
					 .minor = minor, .inode = inode, .path = path ? line + path : ""});
}

static int read_mappings(const char *path, void (*each)(void *arg, const struct proc_mapping *m), void *arg)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	int r = read_file(path, MOST_BYTES, &b);
	char *rest = b.data;

	if (r < 0)
		return r;
	if (!b.len)
		return -ENOENT;
	for (char *line; (line = strsep(&rest, "\n"));)
		parse_mapping(line, each, arg);
	return 0;
}

int proc_mappings(uint32_t pid, void (*each)(void *arg, const struct proc_mapping *m), void *arg)
{
	char path[300];
	struct dirent *entry;
	int r;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	r = read_mappings(path, each, arg);
	if (r != -ENOENT)
		return r;
	/* Empty for a leader that has ended while its threads go on. */
	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	_cleanup_(closedirp) DIR *threads = opendir(path);
	if (!threads)
		return -errno;
	while (r == -ENOENT && (entry = readdir(threads))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%u/task/%s/maps", pid, entry->d_name);
		r = read_mappings(path, each, arg);
	}
	return r;
}
