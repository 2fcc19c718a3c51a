// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer target: a recording from somebody else, and all that report, diagnose and flamegraph ask of it. The input says
 * what is changed in the file of a small good one: a byte that chooses the questions, then patches of eight bytes. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "explained.h"
#include "findings.h"
#include "flame.h"
#include "recorded.h"
#include "report.h"
#include "rule.h"
#include "saturation.h"
#include "store_query.h"
#include "store_write.h"

enum { SLICES = 3, TASKS = 4, DEPTH = 5, FILE_MOST = 4 << 20 };

#define SECOND 1000000000ull

struct patch { /* at `place` in the file, modulo its size */
	uint8_t place[3], length, bytes[4];
};

static const char *const metrics[] = {
	"task.running", "task.runnable", "task.sleeping", "task.disk", "cpu.time", "wait.lock", "wait.disk", "wait.net",
	"wake", "lock.holder", "runqueue.latency", "cpu.idle", "disk.busy", "fault.minor", "memory.growth", "pause.stop",
};
enum { METRICS = ARRAY_SIZE(metrics) };

static void add_names(struct store *s)
{
	for (uint32_t i = 1; i <= METRICS; i++)
		store_add_metric(s, i, metrics[i - 1], "ns", "");
	store_add_cgroup(s, 1, "/batch");
	store_set_int(s, "cpus", 2);
	store_set_text(s, "host", "box");
	store_set_int(s, "start_wall_ns", 1767225600000000000);
	store_add_resource(s, 1, "cpu", "0");
	store_add_resource(s, 2, "futex", "0x7f12 (inventory_lock)");
	store_add_resource(s, 3, "connection", "10.0.0.1:443 -> 10.0.0.2:80");
	store_put_module(s, 1, "elf", "/usr/bin/shop", (const uint8_t *)"build", 5);
	store_add_event(s, 5, "process.stop", 1, 0, 7, "SIGSTOP");
}

static void add_tasks(struct store *s)
{
	for (uint32_t i = 1; i <= TASKS; i++) {
		store_put_process(s, &(struct process_row){.id = i, .pid = 100 * i, .ppid = 100 * (i - 1), .cgroup = 1,
			.comm = "shop", .command = "shop --all", .exe = "/usr/bin/shop", .end_ns = UINT64_MAX,
			.exit_status = -1});
		store_put_task(s, &(struct task_row){.id = i, .process = i, .tid = 100 * i, .comm = "shop",
						     .end_ns = UINT64_MAX});
		store_add_mapping(s, i, 0x1000, 0x9000, 0, 1, 0);
	}
}

static void add_code(struct store *s)
{
	for (uint32_t i = 1; i <= DEPTH; i++) {
		store_add_symbol(s, i, 1, i & 1 ? "handle" : "price", "shop.c", 0x1000 * i, 0x100);
		store_add_frame(s, i, 1, 0x1000 * i + 8);
		store_name_frame(s, i, i, 10 * i);
		store_add_stack(s, i, i - 1, i);
	}
	store_add_inlined(s, 2, 1, 3, 12);
	store_add_wait_loop(s, 2, 0x2000, 0x2010, "poll");
	store_add_code(s, 2, 0x2000, "\x90\x90\xc3", 3);
}

static void add_slice(struct store *s, uint32_t slice)
{
	store_add_slice(s, slice, (slice - 1) * SECOND, slice * SECOND);
	for (uint32_t i = 0; i < METRICS * TASKS; i++)
		store_add_sample(s, &(struct sample_row){.slice = slice, .metric = i % METRICS + 1, .task = i / METRICS + 1,
			.stack = i % DEPTH + 1, .resource = i % 4, .count = i + 1, .value = SECOND / (i + 1)});
	for (uint32_t i = 1; i <= TASKS; i++) {
		store_add_edge(s, &(struct edge_row){.slice = slice, .kind = 9 + i % 2, .task = i, .stack = i, .resource = 2,
			.other_task = i % TASKS + 1, .other_stack = 1, .count = i, .ns = SECOND / 2});
		store_add_histogram(s, slice, 11, 1, 10 * i, i);
		store_add_gauge(s, slice, 12, 1, 20.0 * i);
		store_add_span(s, slice * 10 + i, slice, i & 1 ? slice : 0, 3, i, 1, 2);
	}
}

/* The file of the good one. */
static size_t make(const char *path, uint8_t *bytes)
{
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_(buf_done) struct buf file = BUF_INIT;

	if (store_create(path, &s) < 0 || store_begin(s) < 0)
		abort();
	add_names(s);
	add_tasks(s);
	add_code(s);
	for (uint32_t slice = 1; slice <= SLICES; slice++)
		add_slice(s, slice);
	if (store_commit(s) < 0 || store_finish(s) < 0 || read_file(path, FILE_MOST, &file) < 0)
		abort();
	unlink(path);
	memcpy(bytes, file.data, file.len);
	return file.len;
}

static void diagnose(struct store *s)
{
	static struct rules *rules;
	_cleanup_(findings_freep) struct findings *f = NULL;

	if (!rules)
		rules = rules_new(NULL);
	if (findings_new(s, rules, &(struct findings_options){0}, &f) == 0)
		json_decref(findings_document(f, s));
}

static void report(struct store *s)
{
	_cleanup_(report_freep) struct report *r = NULL;

	report_new(s, &r);
}

static void saturate(struct store *s)
{
	_cleanup_(saturation_freep) struct saturation *saturation = NULL;

	saturation_new(s, &saturation);
}

static void explain_times(struct store *s)
{
	_cleanup_(explained_freep) struct explained *explained = NULL;

	explained_new(s, &explained);
}

static void draw(struct store *s)
{
	struct recorded recorded;

	for (enum profile profile = 0; profile < PROFILES; profile++) {
		_cleanup_(flame_freep) struct flame *flame = flame_new();

		flame_add_recording(flame, FLAME_NEW, s, profile, false, &recorded);
	}
}

static void (*const questions[])(struct store *s) = {diagnose, report, saturate, explain_times, draw};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t good[FILE_MOST], bad[FILE_MOST];
	static size_t length;
	_cleanup_(store_freep) struct store *s = NULL;
	char path[64];

	if (!size)
		return 0;
	snprintf(path, sizeof(path), "/dev/shm/fuzz-recording-%d", getpid());
	if (!length)
		length = make(path, good);
	memcpy(bad, good, length);
	for (size_t at = 1; at + sizeof(struct patch) <= size; at += sizeof(struct patch)) {
		struct patch p;

		memcpy(&p, data + at, sizeof(p));
		size_t place = (size_t)(p.place[0] | p.place[1] << 8 | p.place[2] << 16) % length;
		for (size_t i = 0; i <= p.length % sizeof(p.bytes) && place + i < length; i++)
			bad[place + i] = p.bytes[i];
	}
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, bad, length) < 0)
		abort();
	if (store_open(path, &s) == 0 && store_select(s, &(struct selection){0}) == 0 && store_keep_totals(s) == 0)
		questions[data[0] % ARRAY_SIZE(questions)](s);
	unlink(path);
	return 0;
}
