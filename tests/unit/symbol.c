// SPDX-License-Identifier: BSD-2-Clause
/* symbol SAMPLES: what symbol/make.sh has made. Some of it needs root. */
#include "symbol_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"
#include "mem.h"
#include "module_file.h"

static int skipped;

static void skip(const char *reason)
{
	printf("skipped: %s\n", reason);
	skipped++;
}

static void test_symtab(struct bench *b)
{
	int m = sample_module(b, "sample");
	uint64_t helper = address_of(b, "quiet_helper");
	uint8_t id[20];
	size_t len = 0;

	CHECK(m >= 0 && sample_module(b, "sample") == m);
	CHECK_STR(ask(b, m, helper), "quiet_helper");
	CHECK(b->seen.start == helper && b->seen.size > 4 && b->seen.size < 256);
	CHECK_STR(ask(b, m, helper + b->seen.size - 1), "quiet_helper");
	CHECK_STR(ask(b, m, address_of(b, "exported_helper") + 1), "exported_helper");
	CHECK_STR(ask(b, m, address_of(b, "_ZN4shop8checkout3payEi")), "shop::checkout::pay");
	CHECK_STR(ask(b, m, address_of(b, "_ZN4core5slice4sort17h0123456789abcdefE")),
		  "core::slice::sort");
	CHECK_STR(ask(b, m, address_of(b, "_RNvCs5fTHBBEpZ9_5crate7example")), "crate::example");
	CHECK_STR(ask(b, m, address_of(b, "sizeless_entry") + 4), "sizeless_entry");
	CHECK_STR(ask(b, m, address_of(b, "after_sizeless") + 1), "after_sizeless");
	/* The padding behind a sized symbol, data, and what is not in the file have no names. */
	CHECK_STR(ask(b, m, address_of(b, "after_sizeless") + 100), "");
	CHECK_STR(ask(b, m, address_of(b, "sink")), "");
	CHECK_STR(ask(b, m, UINT64_MAX), "");
	CHECK(symbolizer_module_build_id(b->s, m, id, &len) && len == 20);
	CHECK(symbolizer_request(b->s, m + 1000, 0, 0) == -ENOENT);
	CHECK(symbolizer_request(b->s, -1, 0, 0) == -ENOENT);
}

static void test_marks(struct bench *b)
{
	_cleanup_free_ char *path = xasprintf("%s/stripped", b->samples);
	int m = symbolizer_marks(b->s, &(struct symbol_mapping){.path = path});
	_cleanup_close_ int fd = symbolizer_open(b->s, m);

	CHECK(fd >= 0);
	CHECK_STR(ask(b, m, 0), "shop:gc__end");
	CHECK(b->seen.count == 2 && b->seen.start == address_of(b, "after_sizeless") && !b->seen.size);
	CHECK_STR(b->seen.name[0], "shop:gc__begin");
	CHECK(symbolizer_open(b->s, -1) < 0);
}

static void test_separate(struct bench *b)
{
	uint64_t helper = address_of(b, "quiet_helper");

	CHECK_STR(ask(b, sample_module(b, "stripped"), helper), SYMBOL_NAMELESS);
	CHECK_STR(ask(b, sample_module(b, "linked"), helper), "quiet_helper");
	CHECK_STR(ask(b, sample_module(b, "wrong/linked"), helper), SYMBOL_NAMELESS);
	CHECK_STR(ask(b, sample_module(b, "packed"), helper), "quiet_helper");
	CHECK_STR(ask(b, sample_module(b, "go"), helper + 3), "main.sealSession");
	CHECK_STR(ask(b, sample_module(b, "go-pie"), helper + 3), "main.sealSession");
	CHECK_STR(ask(b, sample_module(b, "go-linked"), helper + 3), "main.sealSession");
	CHECK_STR(ask(b, sample_module(b, "go-unplaced"), helper + 3), SYMBOL_NAMELESS);
}

static void test_plt(struct bench *b)
{
	_cleanup_free_ char *list = sample_text(b, "sample.plt");
	int m = sample_module(b, "stripped"), stubs = 0;
	char name[64];
	unsigned long long address;

	for (char *line = list; sscanf(line, "%llx %63s\n", &address, name) == 2;
	     line = strchr(line, '\n') + 1) {
		CHECK_STR(ask(b, m, address), name);
		CHECK_STR(ask(b, m, address + 7), name);
		stubs++;
	}
	CHECK(stubs >= 3);
}

static void test_inlined(struct bench *b)
{
	_cleanup_free_ char *text = sample_text(b, "sample.inlined");
	static const char *const samples[] = {"sample", "linked"};

	for (int i = 0; i < 2; i++) {
		int m = sample_module(b, samples[i]);

		CHECK_STR(ask(b, m, strtoull(text, NULL, 16)), "outer");
		CHECK(b->seen.count == 3);
		CHECK_STR(b->seen.name[0], "innermost");
		CHECK_STR(b->seen.name[1], "middle");
		CHECK(b->seen.inlined[0] && b->seen.inlined[1] && !b->seen.inlined[2]);
		CHECK(strstr(b->seen.file[0], "inlined.h") && b->seen.line[0] >= 1000 &&
		      b->seen.line[0] <= 1004);
		CHECK(strstr(b->seen.file[1], "inlined.h") && b->seen.line[1] == 1009);
		CHECK(strstr(b->seen.file[2], "outer.c") && b->seen.line[2] == 2003);
		CHECK_STR(ask(b, m, address_of(b, "quiet_helper")), "quiet_helper");
		CHECK(b->seen.count == 1 && strstr(b->seen.file[0], "sample.c") &&
		      b->seen.line[0] > 0);
	}
}

static size_t ask_code(struct bench *b, int module, uint64_t offset, uint64_t size)
{
	size_t before = b->seen.codes;

	b->seen.callees[0] = 0;
	CHECK(symbolizer_request_code(b->s, module, offset, size, 1) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.codes == before + 1);
	return b->seen.code_len;
}

static void test_code(struct bench *b)
{
	_cleanup_free_ char *path = xasprintf("%s/sample", b->samples);
	_cleanup_(buf_done) struct buf file = BUF_INIT;
	uint64_t helper = address_of(b, "exported_helper"), sink = address_of(b, "sink");
	int m = sample_module(b, "sample");

	CHECK(read_file(path, 1 << 24, &file) == 0);
	CHECK_STR(ask(b, m, helper), "exported_helper");
	uint64_t size = b->seen.size;
	CHECK(size > 4 && size < sizeof(b->seen.code) && helper + size < file.len);
	CHECK(ask_code(b, m, helper, size) == size);
	CHECK(helper + size < file.len && !memcmp(b->seen.code, file.data + helper, size));
	CHECK_STR(b->seen.callees, "quiet_helper ");
	/* Names and code in one queue, answered in order. */
	unsigned answers = b->seen.answers;
	for (int i = 0; i < 200; i++) {
		CHECK(symbolizer_request(b->s, m, helper, b->seen.last_frame + 1 + (unsigned)i) == 0);
		CHECK(symbolizer_request_code(b->s, m, helper, size, 1) == 0);
	}
	size_t codes = b->seen.codes;
	b->seen.in_order = true;
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == answers + 200 && b->seen.codes == codes + 200 && b->seen.in_order);
	/* What is not code, not in the file or too long is answered with nothing, or refused. */
	CHECK(ask_code(b, m, sink, 4) == 0);
	CHECK(ask_code(b, m, helper, SYMBOL_CODE_MAX) == 0);
	CHECK(ask_code(b, m, UINT64_MAX - 2, 8) == 0);
	CHECK(symbolizer_request_code(b->s, m, helper, SYMBOL_CODE_MAX + 1, 1) == -EINVAL);
	CHECK(symbolizer_request_code(b->s, m, helper, 0, 1) == -EINVAL);
	CHECK(symbolizer_request_code(b->s, symbolizer_kernel(b->s), helper, 8, 1) == -EINVAL);
	CHECK(symbolizer_request_code(b->s, m + 1000, helper, 8, 1) == -ENOENT);
	CHECK_STR(ask(b, m, helper), "exported_helper");
}

static void test_queue(struct bench *b)
{
	int m = sample_module(b, "sample"), r = 0;
	uint64_t helper = address_of(b, "quiet_helper");
	unsigned before = b->seen.answers, named = b->seen.named, asked = 0;

	b->seen.in_order = true;
	while (r == 0 && asked < 10000000) {
		r = symbolizer_request(b->s, m, asked % 2 ? helper : UINT64_MAX,
				       b->seen.last_frame + 1 + asked);
		asked += r == 0;
	}
	CHECK(r == -EAGAIN && asked >= 100000);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == before + asked && b->seen.in_order);
	CHECK(b->seen.named == named + asked / 2);
}

static void test_confined(struct bench *b)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT, status = BUF_INIT;
	CHECK_STR(ask(b, sample_module(b, "sample"), address_of(b, "quiet_helper")),
		  "quiet_helper");
	pid_t child = symbolizer_stats(b->s)->child_pid;
	CHECK(child > 0 && child != getpid());
	buf_addf(&path, "/proc/%d/status", (int)child);
	CHECK(read_file(path.data, 65536, &status) == 0);
	CHECK(strstr(status.data, "\nCapEff:\t0000000000000000\n"));
	CHECK(strstr(status.data, "\nCapPrm:\t0000000000000000\n"));
	CHECK(strstr(status.data, "\nNoNewPrivs:\t1\n"));
	CHECK(strstr(status.data, "\nSeccomp:\t2\n"));
	if (geteuid() == 0) {
		CHECK(strstr(status.data, "\nUid:\t65534\t65534\t65534\t65534\n"));
		CHECK(strstr(status.data, "\nGid:\t65534\t65534\t65534\t65534\n"));
		CHECK(strstr(status.data, "\nGroups:\t \n") ||
		      strstr(status.data, "\nGroups:\t\n"));
	}
}

/* A map is looked at again now and then: within two seconds, however busy the machine is. */
static const char *ask_until(struct bench *b, int module, uint64_t address, const char *wanted)
{
	const char *name = ask(b, module, address);

	for (int i = 0; i < 40 && strcmp(name, wanted); i++) {
		usleep(50000);
		name = ask(b, module, address);
	}
	return name;
}

static void test_perf_map(struct bench *b)
{
	static const char first[] =
		"1000 100 LazyCompile:~render /app/ui.js:10\n0x2000 40 stub\nnonsense\n"
		"3000 100 old\n\n5000 zz bad\n7000 10 cut";
	static const char more[] = " off\n3080 100 new\n1000 10 Evil\033[31m\xff\n";
	_cleanup_(buf_done) struct buf path = BUF_INIT;
	int m;

	buf_addf(&path, "/tmp/perf-%d.map", (int)getpid());
	unlink(path.data);
	m = symbolizer_perf_map(b->s, getpid());
	CHECK_STR(ask(b, m, 0x1050), ""); /* not there yet */
	symbolizer_forget_process(b->s, getpid());
	write_file(path.data, first, sizeof(first) - 1);
	m = symbolizer_perf_map(b->s, getpid());
	CHECK(m == symbolizer_perf_map(b->s, getpid()));
	CHECK_STR(ask(b, m, 0x1050), "LazyCompile:~render /app/ui.js:10");
	CHECK(b->seen.start == 0x1000 && b->seen.size == 0x100);
	CHECK_STR(ask(b, m, 0x2000), "stub");
	CHECK_STR(ask(b, m, 0x2040), "");
	CHECK_STR(ask(b, m, 0x30ff), "old");
	CHECK_STR(ask(b, m, 0x7000), "");
	_cleanup_close_ int fd = open(path.data, O_WRONLY | O_APPEND | O_CLOEXEC);
	CHECK(write_all(fd, more, sizeof(more) - 1) == 0);
	CHECK_STR(ask_until(b, m, 0x7000, "cut off"), "cut off");
	CHECK_STR(ask(b, m, 0x30ff), "new");
	CHECK_STR(ask(b, m, 0x3000), ""); /* overwritten by it */
	CHECK_STR(ask(b, m, 0x1005), "Evil\033[31m\xef\xbf\xbd");
	write_file(path.data, "1000 100 again\n", 15);
	CHECK_STR(ask_until(b, m, 0x1050, "again"), "again");
	/* Someone else's file, or a link to one, says nothing about this process. */
	symbolizer_forget_process(b->s, getpid());
	unlink(path.data);
	CHECK(symlink("/etc/passwd", path.data) == 0);
	CHECK_STR(ask(b, symbolizer_perf_map(b->s, getpid()), 0x1050), "");
	unlink(path.data);
	if (geteuid() != 0) {
		skip("not root, files of others");
		return;
	}
	symbolizer_forget_process(b->s, getpid());
	write_file(path.data, "1000 100 again\n", 15);
	CHECK(chown(path.data, 1234, 1234) == 0);
	CHECK_STR(ask(b, symbolizer_perf_map(b->s, getpid()), 0x1050), "");
	unlink(path.data);
}

/* A process that gives its perf map to nobody, however long one waits for it. */
static pid_t lease_holder(int *ret_alive)
{
	int alive[2];

	CHECK(pipe2(alive, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		char path[32];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGIO, SIG_IGN);
		snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
		int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		bool leased = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
		_exit(write(alive[1], &leased, sizeof(leased)) < 0 || pause());
	}
	close(alive[1]);
	*ret_alive = alive[0];
	return pid;
}

static void test_lease(struct bench *b)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT;
	bool leased = false;
	int alive;
	pid_t pid = lease_holder(&alive);

	if (read(alive, &leased, sizeof(leased)) == sizeof(leased) && leased)
		CHECK(module_file_perf_map(pid) == -EAGAIN);
	else
		skip("files in /tmp cannot be leased");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(alive);
	buf_addf(&path, "/tmp/perf-%d.map", (int)pid);
	unlink(path.data);
}

static void test_vdso(struct bench *b)
{
	int m = symbolizer_vdso(b->s);
	bool found = false;

	for (uint64_t offset = 0; offset < 8192 && !found; offset += 16)
		found = strstr(ask(b, m, offset), "clock_gettime") != NULL;
	CHECK(found);
}

static void test_kernel(struct bench *b)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long long address = 0;
	char line[512], name[256], type;
	int checked = 0;

	while (f && fgets(line, sizeof(line), f) && checked < 50) {
		if (sscanf(line, "%llx %c %255s", &address, &type, name) != 3 || !address ||
		    strncmp(name, "ext4_", 5) || type != 't')
			continue;
		checked++;
		CHECK_STR(ask(b, symbolizer_kernel(b->s), address + 4), name);
	}
	if (!checked)
		skip("kernel names are hidden");
	CHECK_STR(ask(b, symbolizer_kernel(b->s), 0x1234), "");
}

/* A copy of the sample, running: its main mapping, and a pipe that ends it. */
struct running {
	pid_t pid;
	int input;
	char path[256];
	struct symbol_mapping mapping;
};

static bool find_mapping(struct running *r)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT;
	char line[512], rights[8];
	unsigned long long start, end, offset, inode;
	unsigned dev_major, dev_minor;

	buf_addf(&path, "/proc/%d/maps", (int)r->pid);
	_cleanup_fclose_ FILE *f = fopen(path.data, "re");
	while (f && fgets(line, sizeof(line), f)) {
		int n = sscanf(line, "%llx-%llx %7s %llx %x:%x %llu", &start, &end, rights, &offset,
			       &dev_major, &dev_minor, &inode);
		if (n != 7 || rights[2] != 'x' || !strstr(line, "/sample-"))
			continue;
		r->mapping = (struct symbol_mapping){
			.pid = r->pid, .path = r->path, .start = start, .end = end, .offset = offset,
			.dev_major = dev_major, .dev_minor = dev_minor, .inode = inode};
		return true;
	}
	return false;
}

static void run_sample(struct bench *b, struct running *r)
{
	_cleanup_(buf_done) struct buf from = BUF_INIT;
	int input[2], output[2];
	char text[8];

	*r = (struct running){0};
	snprintf(r->path, sizeof(r->path), "/tmp/sample-%d", (int)getpid());
	unlink(r->path);
	buf_addf(&from, "%s/sample", b->samples);
	copy_file(from.data, r->path);
	CHECK(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0);
	r->pid = fork();
	if (r->pid == 0) {
		dup2(input[0], 0);
		dup2(output[1], 1);
		execl(r->path, r->path, (char *)NULL);
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	CHECK(read(output[0], text, sizeof(text)) > 0);
	close(output[0]);
	r->input = input[1];
	CHECK(find_mapping(r));
}

static void end_sample(struct running *r)
{
	close(r->input);
	waitpid(r->pid, NULL, 0);
	unlink(r->path);
}

static void test_replaced(struct bench *b)
{
	_cleanup_(buf_done) struct buf other = BUF_INIT;
	uint64_t helper = address_of(b, "quiet_helper");
	struct running r;
	char moved[300];

	buf_addf(&other, "%s/linked", b->samples);
	run_sample(b, &r);
	CHECK_STR(ask(b, symbolizer_elf(b->s, &r.mapping), helper), "quiet_helper");
	end_sample(&r);
	/* Deleted, and another file stands in its place: map_files or exe still has it. */
	run_sample(b, &r);
	unlink(r.path);
	write_file(r.path, "other", 5);
	CHECK_STR(ask(b, symbolizer_elf(b->s, &r.mapping), helper), "quiet_helper");
	end_sample(&r);
	/* The process is gone before anyone asks: only the same file may answer. */
	run_sample(b, &r);
	close(r.input);
	waitpid(r.pid, NULL, 0);
	CHECK_STR(ask(b, symbolizer_elf(b->s, &r.mapping), helper), "quiet_helper");
	r.mapping.inode_generation = 1; /* now another module */
	snprintf(moved, sizeof(moved), "%s-moved", r.path);
	CHECK(rename(r.path, moved) == 0); /* keeps its inode */
	copy_file(other.data, r.path);
	CHECK_STR(ask(b, symbolizer_elf(b->s, &r.mapping), helper), "");
	/* A new file with the old inode number, as seen through another process. */
	struct symbol_mapping again = mapping_of(moved);
	again.pid = getpid();
	int old = symbolizer_elf(b->s, &again);
	copy_file("/proc/self/exe", moved);
	again.pid = getppid();
	CHECK(symbolizer_elf(b->s, &again) != old);
	CHECK(symbolizer_elf(b->s, &again) == symbolizer_elf(b->s, &again));
	unlink(moved);
	/* Even at the same place, if the build id is known and another one. */
	struct symbol_mapping m = mapping_of(r.path);
	m.build_id_len = 20;
	memset(m.build_id, 0x5a, sizeof(m.build_id));
	CHECK_STR(ask(b, symbolizer_elf(b->s, &m), helper), "");
	unlink(r.path);
}

static void sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *format, ...)
{
	_cleanup_(buf_done) struct buf command = BUF_INIT;
	va_list args;

	va_start(args, format);
	buf_addv(&command, format, args);
	va_end(args);
	CHECK(system(command.data) == 0);
}

/* A process that is number 1 of its PID namespace, in a root of its own. */
static pid_t contained_process(const char *root, pid_t *ret_parent)
{
	pid_t pid = -1, outer;
	int report[2];

	CHECK(pipe2(report, O_CLOEXEC) == 0);
	outer = fork();
	if (outer == 0) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(1);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (chroot(root) < 0 || chdir("/") < 0)
				_exit(1);
			pid = 0;
			_exit(write(report[1], &pid, sizeof(pid)) < 0 || pause());
		}
		_exit(write(report[1], &pid, sizeof(pid)) < 0 || waitpid(pid, NULL, 0) < 0);
	}
	close(report[1]);
	/* Both have written: the number, and that the root is changed. */
	for (pid_t said, i = 0; i < 2; i++)
		if (read(report[0], &said, sizeof(said)) == sizeof(said) && said)
			pid = said;
	close(report[0]);
	CHECK(pid > 0);
	*ret_parent = outer;
	return pid;
}

/* The debug file where distributions put it, and the perf map under the number that the process has
 * for itself. */
static void test_container(struct bench *b)
{
	_cleanup_(buf_done) struct buf id_hex = BUF_INIT, path = BUF_INIT;
	uint64_t helper = address_of(b, "quiet_helper");
	uint8_t id[20];
	size_t len = 0;
	char root[64];

	if (geteuid() != 0) {
		skip("not root, containers");
		return;
	}
	CHECK_STR(ask(b, sample_module(b, "sample"), helper), "quiet_helper");
	CHECK(symbolizer_module_build_id(b->s, sample_module(b, "sample"), id, &len) && len == 20);
	for (size_t i = 1; i < len; i++)
		buf_addf(&id_hex, "%02x", id[i]);
	snprintf(root, sizeof(root), "/tmp/symbol-root-%d", (int)getpid());
	sh("d=%s/usr/lib/debug/.build-id/%02x && mkdir -p $d && cp %s/sample.debug $d/%s.debug",
	   root, id[0], b->samples, id_hex.data);
	sh("mkdir -p %s/app %s/tmp && cp %s/stripped %s/app/sample-x", root, root, b->samples,
	   root);
	sh("echo 1000 100 inside >%s/tmp/perf-1.map", root);
	pid_t parent, pid = contained_process(root, &parent);
	buf_addf(&path, "%s/app/sample-x", root);
	struct symbol_mapping m = mapping_of(path.data);
	m.pid = pid;
	m.path = "/app/sample-x";
	CHECK_STR(ask(b, symbolizer_elf(b->s, &m), helper), "quiet_helper");
	CHECK_STR(ask(b, symbolizer_perf_map(b->s, pid), 0x1001), "inside");
	/* An absolute link stays inside of the root. */
	sh("ln -s /app/sample-x %s/app/link", root);
	m.path = "/app/link";
	CHECK_STR(ask(b, symbolizer_elf(b->s, &m), helper), "quiet_helper");
	kill(pid, SIGKILL);
	waitpid(parent, NULL, 0);
	sh("rm -rf %s", root);
}

/* In place: the inode stays. */
static void change_build_id(struct bench *b, int module, const char *path)
{
	_cleanup_(buf_done) struct buf file = BUF_INIT;
	_cleanup_close_ int fd = open(path, O_WRONLY);
	uint8_t id[20];
	size_t len = 0;

	CHECK(symbolizer_module_build_id(b->s, module, id, &len) && read_file(path, 1 << 24, &file) == 0);
	const char *at = memmem(file.data, file.len, id, len);
	id[0] ^= 1;
	CHECK(at && pwrite(fd, id, 1, at - file.data) == 1);
}

/* What nobody asks about is forgotten, and read again when somebody does: if it is still the same file. */
static void test_unused(struct bench *b)
{
	_cleanup_free_ char *path = xasprintf("%s/unused", b->samples), *other = xasprintf("%s/other", b->samples);
	_cleanup_free_ char *copy = xasprintf("cp %s/sample %s && cp %s/go %s", b->samples, path, b->samples, other);
	uint64_t helper = address_of(b, "quiet_helper");

	CHECK(system(copy) == 0);
	int m = module_of(b, path);
	for (int i = 0; i < 3; i++) {
		CHECK_STR(ask(b, m, helper), "quiet_helper");
		CHECK_STR(ask(b, sample_module(b, "packed"), helper), "quiet_helper");
	}
	CHECK(symbolizer_stats(b->s)->forgotten >= 5 && !symbolizer_stats(b->s)->restarts);
	change_build_id(b, m, path);
	for (int i = 0; i < 2; i++) {
		CHECK_STR(ask(b, m, helper), "");
		CHECK_STR(ask(b, sample_module(b, "packed"), helper), "quiet_helper");
	}
	CHECK(rename(other, path) == 0);
	CHECK_STR(ask(b, m, helper), "");
	unlink(path);
}

/* A file is not given up while questions about it wait: it may not open a second time. */
static void test_unsent(struct bench *b)
{
	enum { MANY = 100000 };
	_cleanup_free_ char *path = xasprintf("%s/unsent", b->samples), *copy = xasprintf("cp %s/sample %s", b->samples, path);
	uint64_t helper = address_of(b, "quiet_helper");

	CHECK(system(copy) == 0);
	int m = module_of(b, path);
	unlink(path);
	for (uint32_t i = 0; i < MANY; i++)
		CHECK(symbolizer_request(b->s, m, helper, i + 1) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.named == MANY);
}

static void test_forgotten(struct bench *b)
{
	uint64_t helper = address_of(b, "quiet_helper");
	int used = sample_module(b, "sample"), unused = sample_module(b, "packed"), due = sample_module(b, "linked");

	for (int i = 0; i < 2; i++) {
		symbolizer_use(b->s, used);
		if (i)
			CHECK(symbolizer_request(b->s, due, helper, b->seen.last_frame + 1) == 0);
		symbolizer_forget_unused(b->s);
	}
	CHECK(symbolizer_stats(b->s)->modules_known == 2);
	CHECK(symbolizer_request(b->s, unused, helper, 1) == -ENOENT);
	symbolizer_flush(b->s, PATIENCE);
	CHECK_STR(b->seen.name[0], "quiet_helper");
	CHECK_STR(ask(b, used, helper), "quiet_helper");
	CHECK(sample_module(b, "sample") == used && sample_module(b, "packed") > due);
	CHECK_STR(ask(b, sample_module(b, "packed"), helper), "quiet_helper");
}

int main(int argc, char **argv)
{
	static void (*const tests[])(struct bench *) = {
		test_symtab, test_marks, test_separate, test_plt, test_code, test_queue, test_confined, test_perf_map, test_lease,
		test_vdso, test_kernel, test_replaced, test_container, test_forgotten,
	};
	_cleanup_free_ char *samples = argc == 2 ? realpath(argv[1], NULL) : NULL;
	struct bench b = {0};

	if (!samples) {
		fprintf(stderr, "usage: symbol SAMPLES\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		bench_init(&b, samples, false);
		tests[i](&b);
		bench_done(&b);
	}
	bench_init(&b, samples, true);
	test_inlined(&b);
	bench_done(&b);
	b.unused_ns = 1;
	bench_init(&b, samples, false);
	test_unused(&b);
	bench_done(&b);
	bench_init(&b, samples, false);
	test_unsent(&b);
	bench_done(&b);
	printf("symbol: %d passed, %d failed, %d skipped\n", check_passed, check_failed, skipped);
	return check_failed != 0;
}
