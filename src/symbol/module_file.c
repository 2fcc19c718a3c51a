// SPDX-License-Identifier: BSD-2-Clause
#include "module_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"
#include "proc_status.h"
#include "text.h"

DEFINE_CLEANUP(DIR *, closedir)

/* Absolute symbolic links mean the process's root, too, and none leads out of it. */
static int find_beneath(int root, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_PATH | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int open_root(pid_t pid)
{
	char path[32] = "/";

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Opening a device or a pipe has effects of its own: only what is known to be a regular file is
 * opened. Who has a lease of one may let others wait for 45 s: nobody waits here. Takes `found`, which was opened as a mere path. */
static int open_regular(int found)
{
	_cleanup_close_ int path = found;
	char name[32];
	struct stat st;

	if (path < 0)
		return path;
	if (fstat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path);
	int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_path(pid_t pid, const char *path, uint64_t flags)
{
	_cleanup_close_ int root = open_root(pid);

	return root < 0 ? root : open_regular(find_beneath(root, path, flags));
}

/* What the kernel says about the mapped file, against the file that was found. Some file systems
 * report one device for the mapping and another one for the file; then only a build id can tell,
 * and the child compares that in any case. */
static bool is_mapped_file(const struct symbol_mapping *m, int fd, bool same_place)
{
	struct stat st;

	if (m->build_id_len)
		return true;
	if (fstat(fd, &st) < 0)
		return false;
	if (!m->inode)
		return same_place;
	return st.st_ino == m->inode &&
	       (same_place || st.st_dev == makedev(m->dev_major, m->dev_minor));
}

static int accept_mapped(const struct symbol_mapping *m, int fd, bool same_place)
{
	if (fd < 0 || is_mapped_file(m, fd, same_place))
		return fd;
	close(fd);
	return -ESTALE;
}

static int open_magic(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	return open_regular(fd < 0 ? -errno : fd);
}

int module_file_elf(const struct symbol_mapping *m)
{
	char path[96];
	int fd = -ENOENT;

	if (m->pid) {
		/* The mapping itself, also of a file that is deleted or replaced; needs more rights
		 * than the rest. */
		snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)m->pid,
			 (unsigned long long)m->start, (unsigned long long)m->end);
		fd = accept_mapped(m, open_magic(path), true);
	}
	if (fd < 0 && m->pid)
		fd = accept_mapped(m, open_path(m->pid, m->path, 0), false);
	if (fd < 0 && m->pid) {
		snprintf(path, sizeof(path), "/proc/%d/exe", (int)m->pid);
		fd = m->inode ? accept_mapped(m, open_magic(path), false) : fd;
	}
	if (fd < 0)
		fd = accept_mapped(m, open_path(0, m->path, 0), !m->pid);
	return fd;
}

static size_t vdso_size(uint64_t start)
{
	_cleanup_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long from, to;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%llx-%llx", &from, &to) == 2 && from == start)
			return to - from;
	return 0;
}

int module_file_vdso(void)
{
	uintptr_t start = getauxval(AT_SYSINFO_EHDR);
	size_t size = start ? vdso_size(start) : 0;

	if (!size)
		return -ENOENT;
	int fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = write_all(fd, (const void *)start, size);
	if (r >= 0)
		return fd;
	close(fd);
	return r;
}

int module_file_kallsyms(void)
{
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The process's user, and the number that it has for itself: in its innermost PID namespace. */
static int identity(pid_t pid, long *ret_inner_pid, uid_t *ret_uid)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char path[32];
	unsigned uid;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	int r = read_file(path, 64 << 10, &b);
	if (r < 0)
		return r;
	const char *user = strstr(b.data, "\nUid:");
	if (!user || sscanf(user, "\nUid: %u", &uid) != 1)
		return -EINVAL;
	*ret_uid = uid;
	*ret_inner_pid = proc_status_own_number(b.data, (uint32_t)pid);
	return 0;
}

/* Anyone may write into /tmp: only the process's own user or root speaks for it. Takes `fd`. */
static int accept_owned(int fd, uid_t uid)
{
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && (st.st_uid == uid || st.st_uid == 0)))
		return fd;
	close(fd);
	return -EPERM;
}

int module_file_perf_map(pid_t pid)
{
	char path[48];
	long inner;
	uid_t uid;
	int r = identity(pid, &inner, &uid);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/tmp/perf-%ld.map", inner);
	return accept_owned(open_path(pid, path, O_NOFOLLOW), uid);
}

/* Everybody may make such folders. */
enum { MOST_USERS = 64 };

/* The folder has the user's name, as the process's own system knows it: the owner is asked instead. */
int module_file_java_counters(pid_t pid)
{
	_cleanup_close_ int root = open_root(pid);
	char path[NAME_MAX + 64];
	long inner;
	uid_t uid;
	int found = -ENOENT, r = identity(pid, &inner, &uid);

	if (root < 0 || r < 0)
		return root < 0 ? root : r;
	_cleanup_close_ int tmp = find_beneath(root, "/tmp", O_DIRECTORY);
	if (tmp < 0)
		return tmp;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tmp);
	_cleanup_(closedirp) DIR *folder = opendir(path);
	int left = MOST_USERS;
	for (struct dirent *e; folder && found < 0 && left && (e = readdir(folder));) {
		if (!starts_with(e->d_name, "hsperfdata_"))
			continue;
		left--;
		snprintf(path, sizeof(path), "/tmp/%.*s/%ld", NAME_MAX, e->d_name, inner);
		found = accept_owned(open_regular(find_beneath(root, path, O_NOFOLLOW)), uid);
	}
	return found;
}

static bool is_elf(int fd)
{
	char magic[4];

	return pread(fd, magic, 4, 0) == 4 && !memcmp(magic, "\177ELF", 4);
}

static int open_debug_file(pid_t pid, const char *path)
{
	for (int host = pid ? 0 : 1; host < 2; host++) {
		int fd = open_path(host ? 0 : pid, path, 0);

		if (fd >= 0 && is_elf(fd))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -ENOENT;
}

int module_file_by_build_id(pid_t pid, const uint8_t *id, size_t len)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT;

	if (len < 2 || len > 64)
		return -EINVAL;
	buf_addf(&path, "/usr/lib/debug/.build-id/%02x/", id[0]);
	for (size_t i = 1; i < len; i++)
		buf_addf(&path, "%02x", id[i]);
	buf_addstr(&path, ".debug");
	return open_debug_file(pid, path.data);
}

static bool is_plain_name(const char *name, size_t len)
{
	return len && len <= NAME_MAX && !memchr(name, '/', len) && !memchr(name, 0, len) &&
	       name[0] != '.';
}

int module_file_by_debuglink(pid_t pid, const char *module_path, const char *name, size_t len)
{
	static const char *const places[][2] = {
		{"", "/"}, {"", "/.debug/"}, {"/usr/lib/debug", "/"}};
	const char *slash = module_path ? strrchr(module_path, '/') : NULL;
	int fd = -ENOENT;

	if (!slash || !is_plain_name(name, len))
		return -EINVAL;
	for (size_t i = 0; i < 3 && fd < 0; i++) {
		_cleanup_(buf_done) struct buf path = BUF_INIT;

		buf_addstr(&path, places[i][0]);
		buf_add(&path, module_path, (size_t)(slash - module_path));
		buf_addstr(&path, places[i][1]);
		buf_add(&path, name, len);
		fd = open_debug_file(pid, path.data);
	}
	return fd;
}

int module_file_by_altlink(pid_t pid, const char *name, size_t len)
{
	static const char marker[] = "/.dwz/";
	_cleanup_(buf_done) struct buf path = BUF_INIT;
	const char *tail = memmem(name, len, marker, sizeof(marker) - 1);

	if (!tail || len > PATH_MAX || memchr(name, 0, len))
		return -EINVAL;
	buf_addstr(&path, "/usr/lib/debug");
	buf_add(&path, tail, len - (size_t)(tail - name));
	if (strstr(path.data, "/../"))
		return -EINVAL;
	return open_debug_file(pid, path.data);
}
