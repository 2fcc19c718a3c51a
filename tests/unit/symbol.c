// SPDX-License-Identifier: BSD-2-Clause
/* symbol SAMPLES: the folder that symbol/make.sh has filled. What needs root is skipped without it. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "clock.h"
#include "demangle.h"
#include "io.h"
#include "symbolizer.h"

#define PATIENCE (30 * NS_PER_S)

struct seen {
	unsigned answers, named;
	uint32_t last_frame;
	bool in_order;
	size_t count;
	char name[8][256];
	char file[8][256];
	uint32_t line[8];
	bool inlined[8];
	uint64_t start, size; /* of the outermost */
};

struct bench { /* of the workshop: what each test works with */
	const char *samples;
	struct symbolizer *s;
	struct seen seen;
};

static void on_symbol(void *arg, uint32_t frame, const struct symbol *symbols, size_t count)
{
	struct seen *seen = arg;

	seen->in_order = seen->in_order && (!seen->answers || frame == seen->last_frame + 1);
	seen->last_frame = frame;
	seen->answers++;
	seen->named += count > 0;
	seen->count = count;
	for (size_t i = 0; i < count && i < 8; i++) {
		snprintf(seen->name[i], sizeof(seen->name[i]), "%s", symbols[i].name);
		snprintf(seen->file[i], sizeof(seen->file[i]), "%s", symbols[i].file ? symbols[i].file : "");
		seen->line[i] = symbols[i].line;
		seen->inlined[i] = symbols[i].inlined;
	}
	seen->start = count ? symbols[count - 1].start : 0;
	seen->size = count ? symbols[count - 1].size : 0;
}

static void bench_init(struct bench *b, const char *samples, bool lines)
{
	*b = (struct bench){.samples = samples, .seen.in_order = true};
	struct symbolizer_options options = {
		.source_lines = lines, .inlined = lines, .handler = on_symbol, .arg = &b->seen};
	if (symbolizer_new(&options, &b->s) < 0) {
		CHECK(!"symbolizer_new");
		exit(check_done("symbol"));
	}
}

static void bench_done(struct bench *b)
{
	symbolizer_free(b->s);
}

/* The name of one address; "" if it has none. */
static const char *ask(struct bench *b, int module, uint64_t offset)
{
	unsigned before = b->seen.answers;

	b->seen.count = 0;
	b->seen.name[0][0] = 0;
	CHECK(module >= 0 && symbolizer_request(b->s, module, offset, b->seen.last_frame + 1) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == before + 1);
	return b->seen.count ? b->seen.name[b->seen.count - 1] : "";
}

static struct symbol_mapping mapping_of(const char *path)
{
	struct symbol_mapping m = {.path = path};
	struct stat st;

	if (stat(path, &st) == 0) {
		m.dev_major = major(st.st_dev);
		m.dev_minor = minor(st.st_dev);
		m.inode = st.st_ino;
	}
	return m;
}

static int module_of(struct bench *b, const char *path)
{
	struct symbol_mapping m = mapping_of(path);

	return symbolizer_elf(b->s, &m);
}

static int sample_module(struct bench *b, const char *name)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT;

	buf_addf(&path, "%s/%s", b->samples, name);
	return module_of(b, path.data);
}

static char *sample_text(struct bench *b, const char *name)
{
	struct buf path = BUF_INIT, text = BUF_INIT;

	buf_addf(&path, "%s/%s", b->samples, name);
	CHECK(read_file(path.data, 1 << 20, &text) == 0);
	buf_done(&path);
	return buf_steal(&text);
}

/* What nm says: the address of a symbol. The sample is linked so that its code's addresses are its offsets. */
static uint64_t address_of(struct bench *b, const char *symbol)
{
	_cleanup_free_ char *nm = sample_text(b, "sample.nm");
	_cleanup_(buf_done) struct buf wanted = BUF_INIT;

	buf_addf(&wanted, " %s\n", symbol);
	char *at = strstr(nm, wanted.data);
	CHECK(at);
	while (at && at > nm && at[-1] != '\n')
		at--;
	return at ? strtoull(at, NULL, 16) : 0;
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
	CHECK_STR(ask(b, m, address_of(b, "_ZN4core5slice4sort17h0123456789abcdefE")), "core::slice::sort");
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

static void test_separate(struct bench *b)
{
	uint64_t helper = address_of(b, "quiet_helper");

	CHECK_STR(ask(b, sample_module(b, "stripped"), helper), "");
	CHECK_STR(ask(b, sample_module(b, "linked"), helper), "quiet_helper");
	CHECK_STR(ask(b, sample_module(b, "wrong/linked"), helper), "");
	CHECK_STR(ask(b, sample_module(b, "packed"), helper), "quiet_helper");
}

static void test_plt(struct bench *b)
{
	_cleanup_free_ char *list = sample_text(b, "sample.plt");
	int m = sample_module(b, "stripped"), stubs = 0;
	char name[64];
	unsigned long long address;

	for (char *line = list; sscanf(line, "%llx %63s\n", &address, name) == 2; line = strchr(line, '\n') + 1) {
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
		CHECK(strstr(b->seen.file[0], "inlined.h") && b->seen.line[0] >= 1000 && b->seen.line[0] <= 1004);
		CHECK(strstr(b->seen.file[1], "inlined.h") && b->seen.line[1] == 1009);
		CHECK(strstr(b->seen.file[2], "outer.c") && b->seen.line[2] == 2003);
		CHECK_STR(ask(b, m, address_of(b, "quiet_helper")), "quiet_helper");
		CHECK(b->seen.count == 1 && strstr(b->seen.file[0], "sample.c") && b->seen.line[0] > 0);
	}
}

static void check_demangled(const char *mangled, const char *wanted)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	demangle(&b, mangled, strlen(mangled));
	CHECK_STR(b.data, wanted);
}

/* f<a, b<a, a>, c<b<a, a>, b<a, a> >, ...>: each argument is twice as long as the one before it. */
static void check_bomb(void)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	_cleanup_(buf_done) struct buf b = BUF_INIT, mangled = BUF_INIT;
	uint64_t start = clock_mono_ns();
	int last = 0, next = 1;

	buf_addstr(&mangled, "_Z1fI1a");
	for (int i = 0; i < 17; i++, last = next + 1, next += 2)
		buf_addf(&mangled, "1%cIS%c_S%c_E", 'b' + i, digits[last], digits[last]);
	buf_addstr(&mangled, "Evv");
	demangle(&b, mangled.data, mangled.len);
	CHECK(b.len > 1000 && b.len <= 4096 && !strncmp(b.data, "f<a, b<a, a>, c<b<a, a>", 23));
	CHECK(clock_mono_ns() - start < NS_PER_S);
	buf_reset(&mangled);
	buf_reset(&b);
	for (int i = 0; i < 100000; i++)
		buf_addstr(&mangled, i ? "INvC" : "_RNvC");
	demangle(&b, mangled.data, mangled.len);
	CHECK(b.len > 0 && b.len <= 4096 && clock_mono_ns() - start < 2 * NS_PER_S);
}

static void test_demangle(struct bench *b)
{
	check_demangled("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back");
	check_demangled("_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()");
	check_demangled("_ZN3fooEv.constprop.0", "foo");
	check_demangled("_ZN4core3ptr13drop_in_place17h0123456789abcdefE.llvm.123", "core::ptr::drop_in_place");
	check_demangled("_Z3foov@plt", "foo@plt");
	check_demangled("_Zero", "_Zero");
	check_demangled("main", "main");
	check_bomb();
}

static void test_queue(struct bench *b)
{
	int m = sample_module(b, "sample"), r = 0;
	uint64_t helper = address_of(b, "quiet_helper");
	unsigned before = b->seen.answers, named = b->seen.named, asked = 0;

	b->seen.in_order = true;
	while (r == 0 && asked < 10000000) {
		r = symbolizer_request(b->s, m, asked % 2 ? helper : UINT64_MAX, b->seen.last_frame + 1 + asked);
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
	CHECK_STR(ask(b, sample_module(b, "sample"), address_of(b, "quiet_helper")), "quiet_helper");
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
		CHECK(strstr(status.data, "\nGroups:\t \n") || strstr(status.data, "\nGroups:\t\n"));
	}
}

static void write_file(const char *path, const void *data, size_t len)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	CHECK(fd >= 0 && write_all(fd, data, len) == 0);
}

static void test_perf_map(struct bench *b)
{
	static const char first[] = "1000 100 LazyCompile:~render /app/ui.js:10\n0x2000 40 stub\nnonsense\n"
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
	usleep(50000);
	CHECK_STR(ask(b, m, 0x7000), "cut off");
	CHECK_STR(ask(b, m, 0x30ff), "new");
	CHECK_STR(ask(b, m, 0x3000), ""); /* overwritten by it */
	CHECK_STR(ask(b, m, 0x1005), "Evil\033[31m\xef\xbf\xbd");
	write_file(path.data, "1000 100 again\n", 15);
	usleep(50000);
	CHECK_STR(ask(b, m, 0x1050), "again");
	/* Someone else's file, or a link to one, says nothing about this process. */
	symbolizer_forget_process(b->s, getpid());
	unlink(path.data);
	CHECK(symlink("/etc/passwd", path.data) == 0);
	CHECK_STR(ask(b, symbolizer_perf_map(b->s, getpid()), 0x1050), "");
	unlink(path.data);
	if (geteuid() == 0) {
		symbolizer_forget_process(b->s, getpid());
		write_file(path.data, "1000 100 again\n", 15);
		CHECK(chown(path.data, 1234, 1234) == 0);
		CHECK_STR(ask(b, symbolizer_perf_map(b->s, getpid()), 0x1050), "");
		unlink(path.data);
	}
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
		printf("symbol: kernel names are hidden here, not tested\n");
	CHECK_STR(ask(b, symbolizer_kernel(b->s), 0x1234), "");
}

static void copy_file(const char *from, const char *to)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT;

	CHECK(read_file(from, 1 << 24, &b) == 0);
	write_file(to, b.data, b.len);
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
		int n = sscanf(line, "%llx-%llx %7s %llx %x:%x %llu", &start, &end, rights, &offset, &dev_major,
			       &dev_minor, &inode);
		if (n != 7 || rights[2] != 'x' || !strstr(line, "/sample-"))
			continue;
		r->mapping = (struct symbol_mapping){
			.pid = r->pid, .start = start, .end = end, .offset = offset, .path = r->path,
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
	/* Deleted, and another file stands in its place: /proc/PID/map_files or exe still has it. */
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

static void test_killed(struct bench *b)
{
	uint64_t helper = address_of(b, "quiet_helper"), restarts = symbolizer_stats(b->s)->restarts;
	int m = sample_module(b, "sample");

	for (int i = 0; i < 3; i++) {
		CHECK_STR(ask(b, m, helper), "quiet_helper");
		pid_t child = symbolizer_stats(b->s)->child_pid;
		CHECK(child > 0);
		if (child > 0)
			CHECK(kill(child, SIGKILL) == 0);
		CHECK_STR(ask(b, m, helper), "quiet_helper");
	}
	CHECK(symbolizer_stats(b->s)->restarts >= restarts + 2);
}

/* Each time the child dies in the middle of work on one module, that is what has killed it as far as anyone knows. */
static void test_poisoned(struct bench *b)
{
	uint64_t helper = address_of(b, "quiet_helper");
	int m = sample_module(b, "sample"), healthy = sample_module(b, "packed");
	unsigned asked = 0, before;
	const struct symbolizer_stats *stats = symbolizer_stats(b->s);

	CHECK_STR(ask(b, healthy, helper), "quiet_helper");
	before = b->seen.answers;
	b->seen.in_order = true;
	while (symbolizer_request(b->s, m, helper, b->seen.last_frame + 1 + asked) == 0)
		asked++;
	for (int i = 0; i < 6 && !stats->poisoned; i++) {
		uint64_t restarts = stats->restarts, deadline = clock_mono_ns() + PATIENCE;

		while (!stats->child_pid && clock_mono_ns() < deadline)
			symbolizer_dispatch(b->s);
		usleep(1000);
		if (stats->child_pid > 0)
			kill(stats->child_pid, SIGKILL);
		while (stats->restarts == restarts && clock_mono_ns() < deadline)
			symbolizer_dispatch(b->s);
	}
	CHECK(stats->poisoned == 1);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == before + asked && b->seen.in_order);
	CHECK_STR(ask(b, m, helper), "");
	CHECK_STR(ask(b, healthy, helper), "quiet_helper");
}

/* The file shrinks behind the child's back: reading the mapping then is fatal for the child, and only for it. */
static void test_truncated_while_mapped(struct bench *b)
{
	_cleanup_(buf_done) struct buf from = BUF_INIT;
	uint64_t helper = address_of(b, "quiet_helper"), main_function = address_of(b, "main");
	char path[64];

	snprintf(path, sizeof(path), "/tmp/sample-shrinks-%d", (int)getpid());
	buf_addf(&from, "%s/sample", b->samples);
	copy_file(from.data, path);
	int m = module_of(b, path), healthy = sample_module(b, "sample");
	CHECK_STR(ask(b, m, helper), "quiet_helper");
	CHECK(truncate(path, 0) == 0);
	CHECK_STR(ask(b, m, main_function), "");
	CHECK(symbolizer_stats(b->s)->restarts > 0);
	CHECK_STR(ask(b, healthy, helper), "quiet_helper");
	unlink(path);
}

static uint64_t pseudo_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void ask_everywhere(struct bench *b, const char *path, uint32_t variant)
{
	struct symbol_mapping m = mapping_of(path);
	unsigned before = b->seen.answers;

	m.inode_generation = variant + 1; /* each is a file of its own */
	int module = symbolizer_elf(b->s, &m);
	for (uint64_t offset = 0; offset < 0x6000; offset += 512)
		CHECK(symbolizer_request(b->s, module, offset, b->seen.last_frame + 1) == 0);
	symbolizer_flush(b->s, PATIENCE);
	CHECK(b->seen.answers == before + 0x6000 / 512);
}

static void test_hostile_elf(struct bench *b)
{
	static const char *const samples[] = {"sample", "packed"};
	_cleanup_(buf_done) struct buf path = BUF_INIT;
	uint64_t state = 42;
	uint32_t variant = 0;
	char victim[64];

	snprintf(victim, sizeof(victim), "/tmp/sample-hostile-%d", (int)getpid());
	for (int i = 0; i < 2; i++) {
		_cleanup_(buf_done) struct buf image = BUF_INIT;

		buf_reset(&path);
		buf_addf(&path, "%s/%s", b->samples, samples[i]);
		CHECK(read_file(path.data, 1 << 24, &image) == 0);
		for (size_t len = 0; len < image.len; len += len < 128 ? 8 : image.len / 60) {
			write_file(victim, image.data, len);
			ask_everywhere(b, victim, variant++);
		}
		for (int round = 0; round < 150; round++) {
			_cleanup_(buf_done) struct buf bad = BUF_INIT;

			buf_add(&bad, image.data, image.len);
			for (int flip = 0; flip < 1 << round % 8; flip++) {
				/* Half of them in the headers of file and sections, where they hurt most. */
				size_t at = pseudo_random(&state) % image.len;

				if (flip % 2)
					at = round % 2 ? at % 1024 : image.len - 1 - at % 2400;
				bad.data[at] = (char)pseudo_random(&state);
			}
			write_file(victim, bad.data, bad.len);
			ask_everywhere(b, victim, variant++);
		}
	}
	unlink(victim);
	CHECK_STR(ask(b, sample_module(b, "sample"), address_of(b, "quiet_helper")), "quiet_helper");
	printf("symbol: %u hostile files, %llu restarts of the child\n", variant,
	       (unsigned long long)symbolizer_stats(b->s)->restarts);
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

/* A process that is number 1 of its PID namespace, in a root of its own; its parent ends with it. */
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

/* The debug file where distributions put it, and the perf map under the number that the process has for itself. */
static void test_container(struct bench *b)
{
	_cleanup_(buf_done) struct buf id_hex = BUF_INIT, path = BUF_INIT;
	uint64_t helper = address_of(b, "quiet_helper");
	uint8_t id[20];
	size_t len = 0;
	char root[64];

	if (geteuid() != 0)
		return;
	CHECK_STR(ask(b, sample_module(b, "sample"), helper), "quiet_helper");
	CHECK(symbolizer_module_build_id(b->s, sample_module(b, "sample"), id, &len) && len == 20);
	for (size_t i = 1; i < len; i++)
		buf_addf(&id_hex, "%02x", id[i]);
	snprintf(root, sizeof(root), "/tmp/symbol-root-%d", (int)getpid());
	sh("d=%s/usr/lib/debug/.build-id/%02x && mkdir -p $d && cp %s/sample.debug $d/%s.debug", root, id[0],
	   b->samples, id_hex.data);
	sh("mkdir -p %s/app %s/tmp && cp %s/stripped %s/app/sample-x", root, root, b->samples, root);
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

int main(int argc, char **argv)
{
	static void (*const tests[])(struct bench *) = {
		test_symtab, test_separate, test_plt, test_demangle, test_queue, test_confined, test_perf_map, test_vdso,
		test_kernel, test_replaced, test_container, test_killed, test_truncated_while_mapped,
	};
	_cleanup_free_ char *samples = argc == 2 ? realpath(argv[1], NULL) : NULL;
	struct bench b;

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
	test_hostile_elf(&b);
	bench_done(&b);
	bench_init(&b, samples, true); /* with lines: slow enough to be caught at it */
	test_poisoned(&b);
	bench_done(&b);
	return check_done("symbol");
}
