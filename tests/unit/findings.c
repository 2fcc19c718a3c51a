// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <errno.h>
#include <stdlib.h>

#include "buf.h"
#include "clock.h"
#include "findings.h"
#include "findings_text.h"
#include "io.h"
#include "mem.h"
#include "rule.h"
#include "rule_text.h"
#include "store_guard.h"
#include "store_write.h"

enum { RUNNING = 1, RUNNABLE, SLEEPING, WAKE, CPU_TIME, IDLE, USER, LATENCY, SELF_CPU, LOST };
enum { SLICES = 10 };

struct machine {
	struct store *store;
	uint32_t processes;
};

static void begin(struct machine *m)
{
	static const char *const names[] = {
		[RUNNING] = "task.running", [RUNNABLE] = "task.runnable", [SLEEPING] = "task.sleeping", [WAKE] = "wake",
		[CPU_TIME] = "cpu.time", [IDLE] = "cpu.idle", [USER] = "cpu.user", [LATENCY] = "runqueue.latency",
		[SELF_CPU] = "self.cpu", [LOST] = "lost.records"};

	*m = (struct machine){0};
	CHECK(store_create(":memory:", &m->store) == 0);
	CHECK(store_begin(m->store) == 0);
	for (uint32_t i = 1; i < ARRAY_SIZE(names); i++)
		store_add_metric(m->store, i, names[i], "", "");
	for (uint32_t i = 1; i <= SLICES; i++)
		store_add_slice(m->store, i, (i - 1) * NS_PER_S, i * NS_PER_S);
	store_set_int(m->store, "cpus", 2);
	store_set_text(m->store, "host", "box");
	store_set_text(m->store, "kernel", "6.1");
	store_set_int(m->store, "start_wall_ns", 1767225600000000000);
	store_add_cgroup(m->store, 1, "/batch");
	store_add_resource(m->store, 1, "cpu", "0");
	store_add_resource(m->store, 2, "cpu", "1");
}

/* Each CPU's idle share, in percent; the rest is user. */
static void cpus(struct machine *m, double first, double second)
{
	for (uint32_t i = 1; i <= SLICES; i++) {
		store_add_gauge(m->store, i, IDLE, 1, first);
		store_add_gauge(m->store, i, IDLE, 2, second);
		store_add_gauge(m->store, i, USER, 1, 100 - first);
		store_add_gauge(m->store, i, USER, 2, 100 - second);
		store_add_histogram(m->store, i, LATENCY, 1, 100, 90);
		store_add_histogram(m->store, i, LATENCY, 1, 200, 10);
	}
}

/* A process with one thread, pid 100 * id, and how much of each second it ran and waited, in percent. */
static uint32_t process(struct machine *m, const char *comm, unsigned running, unsigned runnable, unsigned wakeups,
			uint32_t flags)
{
	uint32_t id = ++m->processes;

	store_put_process(m->store, &(struct process_row){.id = id, .pid = 100 * id, .cgroup = 1, .comm = comm,
		.end_ns = UINT64_MAX, .exit_status = -1, .flags = flags});
	store_put_task(m->store, &(struct task_row){.id = id, .process = id, .tid = 100 * id, .comm = comm,
						    .end_ns = UINT64_MAX});
	for (uint32_t i = 1; i <= SLICES; i++) {
		store_add_sample(m->store, &(struct sample_row){.slice = i, .metric = RUNNING, .task = id,
			.count = wakeups, .value = running * NS_PER_S / 100});
		store_add_sample(m->store, &(struct sample_row){.slice = i, .metric = RUNNABLE, .task = id,
			.value = runnable * NS_PER_S / 100});
	}
	return id;
}

static void waits(struct machine *m, uint32_t task, uint32_t other, unsigned times, unsigned percent)
{
	for (uint32_t i = 1; i <= SLICES; i++)
		store_add_edge(m->store, &(struct edge_row){.slice = i, .kind = WAKE, .task = task, .other_task = other,
			.count = times, .ns = percent * NS_PER_S / 100});
}

/* main > handle > parse | price, in a program's own code. */
static void code(struct machine *m, const char *hot)
{
	const char *const names[] = {"main", "handle", "parse", hot};

	store_put_module(m->store, 1, "elf", "/usr/bin/shop", NULL, 0);
	for (uint32_t i = 1; i <= ARRAY_SIZE(names); i++) {
		store_add_symbol(m->store, i, 1, names[i - 1], NULL, 0x1000 * i, 0x100);
		store_add_frame(m->store, i, 1, 0x1000 * i + 8);
		store_name_frame(m->store, i, i, 0);
	}
	store_add_stack(m->store, 1, 0, 1);
	store_add_stack(m->store, 2, 1, 2);
	store_add_stack(m->store, 3, 2, 3);
	store_add_stack(m->store, 4, 2, 4);
}

static void samples(struct machine *m, uint32_t task, unsigned parse, unsigned hot)
{
	for (uint32_t i = 1; i <= SLICES; i++) {
		store_add_sample(m->store, &(struct sample_row){.slice = i, .metric = CPU_TIME, .task = task, .stack = 3,
			.count = parse, .value = parse * 10 * NS_PER_MS});
		store_add_sample(m->store, &(struct sample_row){.slice = i, .metric = CPU_TIME, .task = task, .stack = 4,
			.count = hot, .value = hot * 10 * NS_PER_MS});
	}
}

static struct findings *ask(struct machine *m, const struct rules *rules, const struct findings_options *options)
{
	struct findings *f = NULL;

	CHECK(store_commit(m->store) == 0);
	CHECK(findings_new(m->store, rules, options, &f) == 0);
	for (size_t i = 0; i < f->error_count; i++)
		fprintf(stderr, "%s\n", f->errors[i]);
	return f;
}

static const struct finding_evidence *evidence(const struct finding *f, const char *start)
{
	for (size_t i = 0; i < f->evidence_count; i++)
		if (!strncmp(f->evidence[i].metric, start, strlen(start)))
			return &f->evidence[i];
	return NULL;
}

static void test_single_thread(bool waited)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	struct machine m;

	begin(&m);
	cpus(&m, 0, 98);
	code(&m, "price");
	uint32_t shop = process(&m, "shop", 100, 0, 50, 0), buyer = process(&m, "buyer", 1, 0, 50, 0);
	samples(&m, shop, 30, 70);
	if (waited)
		waits(&m, buyer, shop, 50, 98);
	f = ask(&m, rules, NULL);
	CHECK(f->error_count == 0 && f->count == 1);
	const struct finding *one = &f->items[0];
	CHECK_STR(one->id, "cpu.single-thread");
	CHECK(one->severity == (waited ? SEVERITY_CRITICAL : SEVERITY_INFO));
	CHECK(findings_worst(f) == one->severity);
	CHECK(!waited || (one->impact > 0.97 && one->impact < 0.99));
	CHECK(one->affected_count == (waited ? 2 : 1) && one->affected[0].pid == 100);
	CHECK_STR(one->affected[0].role, "culprit");
	CHECK_STR(one->affected[0].cgroup, "/batch");
	CHECK(!waited || (one->affected[1].pid == 200 && !strcmp(one->affected[1].role, "victim")));
	CHECK(strstr(one->title, "shop") && !strchr(one->title, '{'));
	CHECK(evidence(one, "explains cpu.hotspot: price takes 70 %"));
	CHECK(one->stack_count == 2 && one->stacks[0].depth == 3 && one->stacks[0].weight_ms > 6999);
	CHECK_STR(one->stacks[0].frames[2], "price");
	CHECK(one->action_count == 2 && strstr(one->actions[1], "-p 100"));
	CHECK_STR(one->runbook, "high-cpu");
	store_free(m.store);
}

/* Hogs with one hot function crowd out a service; the function is a part of the hogs' finding. */
/* Four processes that compute, on two CPUs, and one that waits for them. */
static void begin_crowded(struct machine *m)
{
	begin(m);
	cpus(m, 0, 0);
	code(m, "crunch");
	for (int i = 0; i < 4; i++)
		samples(m, process(m, "hog", 48, 52, 0, 0), 1, 40);
	process(m, "web", 5, 20, 100, 0);
}

static void test_saturation(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	struct machine m;

	begin_crowded(&m);
	process(&m, "mine", 5, 60, 100, PROCESS_OWN);
	f = ask(&m, rules, NULL);
	CHECK(f->count == 1);
	CHECK_STR(f->items[0].id, "cpu.saturation");
	CHECK(f->items[0].severity == SEVERITY_CRITICAL && f->items[0].impact > 0.79 && f->items[0].impact < 0.81);
	CHECK(f->items[0].affected_count == 5);
	CHECK_STR(f->items[0].affected[0].comm, "hog");
	CHECK_STR(f->items[0].affected[4].comm, "web");
	CHECK(evidence(&f->items[0], "run-queue wait p50") && evidence(&f->items[0], "run-queue wait p99"));
	CHECK(evidence(&f->items[0], "run-queue wait p99")->value > evidence(&f->items[0], "run-queue wait p50")->value);
	CHECK(evidence(&f->items[0], "explains cpu.hotspot"));
	store_free(m.store);
}

/* The same without the service: they share the CPUs among themselves, and nobody is harmed. */
static void test_crowd_of_equals(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	struct machine m;

	begin(&m);
	cpus(&m, 0, 0);
	for (int i = 0; i < 4; i++)
		process(&m, "cc1", 48, 52, 1, 0);
	f = ask(&m, rules, NULL);
	CHECK(f->count == 1 && f->items[0].severity == SEVERITY_INFO);
	store_free(m.store);
}

static void test_own(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	struct machine m;

	begin(&m);
	cpus(&m, 0, 98);
	code(&m, "price");
	uint32_t own = process(&m, "perfscope", 100, 0, 50, PROCESS_OWN);
	samples(&m, own, 30, 70);
	waits(&m, process(&m, "buyer", 1, 0, 50, 0), own, 50, 98);
	f = ask(&m, rules, NULL);
	CHECK(f->count == 0 && findings_worst(f) == SEVERITY_INFO);
	store_free(m.store);
}

/* A service of two threads that fills both CPUs with one function: the function is the cause, not the crowd. */
static void test_hotspot(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	struct machine m;

	begin(&m);
	cpus(&m, 1, 1);
	code(&m, "price");
	uint32_t shop = process(&m, "shop", 90, 10, 50, 0);
	store_put_task(m.store, &(struct task_row){.id = 50, .process = shop, .tid = 150, .comm = "shop", .end_ns = UINT64_MAX});
	for (uint32_t i = 1; i <= SLICES; i++) {
		store_add_sample(m.store, &(struct sample_row){.slice = i, .metric = RUNNING, .task = 50, .count = 50,
			.value = NS_PER_S / 2});
		store_add_sample(m.store, &(struct sample_row){.slice = i, .metric = RUNNABLE, .task = 50, .value = NS_PER_S / 2});
	}
	samples(&m, shop, 27, 63);
	waits(&m, process(&m, "buyer", 1, 40, 50, 0), shop, 50, 60);
	f = ask(&m, rules, NULL);
	CHECK(f->count == 1);
	CHECK_STR(f->items[0].id, "cpu.hotspot");
	CHECK(f->items[0].severity == SEVERITY_CRITICAL && f->items[0].impact > 0.41 && f->items[0].impact < 0.43);
	CHECK_STR(f->items[0].resource_name, "price");
	CHECK(evidence(&f->items[0], "explains cpu.saturation"));
	store_free(m.store);
}

static void test_focus(void)
{
	static const char *const groups[] = {"/batch", "/batch/", "/"};
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	struct findings *f = NULL;
	struct machine m;

	begin(&m);
	cpus(&m, 0, 98);
	process(&m, "busy", 100, 0, 0, 0);
	process(&m, "other", 1, 0, 5, 0);
	f = ask(&m, rules, &(struct findings_options){.pid = 100});
	CHECK(f->count == 1);
	findings_free(f);
	CHECK(findings_new(m.store, rules, &(struct findings_options){.pid = 200}, &f) == 0 && f->count == 0);
	findings_free(f);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		CHECK(findings_new(m.store, rules, &(struct findings_options){.cgroup = groups[i]}, &f) == 0 && f->count == 1);
		findings_free(f);
	}
	const char *const only[] = {"cpu.hotspot", NULL};
	CHECK(findings_new(m.store, rules, &(struct findings_options){.only = only}, &f) == 0 && f->count == 0);
	findings_free(f);
	store_free(m.store);
}

/* Small but harmful and new: a warning. As it always was: only told. */
static void test_baseline(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	struct finding now = {.id = "x", .harms = true, .impact = 0.05}, before = now;
	struct findings *none, *f;
	struct machine m;

	begin(&m);
	none = ask(&m, rules, NULL);
	CHECK(findings_new(m.store, rules, NULL, &f) == 0);
	CHECK(none->count == 0);
	f->items = xcalloc(1, sizeof(*f->items));
	*f->items = now;
	f->count = f->capacity = 1;
	findings_weigh(f, none);
	CHECK(f->items[0].severity == SEVERITY_WARNING);
	CHECK(evidence(&f->items[0], "impact in the baseline")->value < 1e-9);

	none->items = xcalloc(1, sizeof(*none->items));
	*none->items = before;
	none->count = none->capacity = 1;
	*f->items = now;
	findings_weigh(f, none);
	CHECK(f->items[0].severity == SEVERITY_INFO);
	*f->items = (struct finding){.id = "x", .impact = 0.9}; /* harms nobody */
	findings_weigh(f, none);
	CHECK(f->items[0].severity == SEVERITY_INFO);
	findings_free(f);
	findings_free(none);
	store_free(m.store);
}

/* What the rules share is gone afterwards: a selection stands, and new slices are seen. */
static void test_nothing_is_left(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	struct findings *f = NULL;
	int64_t running = 0;
	struct machine m;

	begin(&m);
	cpus(&m, 0, 98);
	process(&m, "busy", 100, 0, 0, 0);
	CHECK(store_commit(m.store) == 0);
	CHECK(store_select(m.store, &(struct selection){.to_ns = 5 * NS_PER_S}) == 0);
	for (int i = 0; i < 2; i++) {
		CHECK(findings_new(m.store, rules, NULL, &f) == 0 && f->count == 1);
		findings_free(f);
		CHECK(query_one_int(m.store, "SELECT running FROM process_state", 0, &running) == 0 &&
		      running == (int64_t)(5 * NS_PER_S));
	}
	CHECK(store_select(m.store, &(struct selection){0}) == 0);
	CHECK(findings_new(m.store, rules, NULL, &f) == 0 && f->count == 1);
	findings_free(f);
	CHECK(store_begin(m.store) == 0);
	store_add_sample(m.store, &(struct sample_row){
		.slice = SLICES, .metric = RUNNING, .task = 1, .count = 1, .value = 1});
	CHECK(store_commit(m.store) == 0);
	CHECK(query_one_int(m.store, "SELECT running FROM process_state", 0, &running) == 0 &&
	      running == (int64_t)(SLICES * NS_PER_S + 1));
	store_free(m.store);
}

#define HEAD "-- title: t\n-- summary: {what} is {how}\n"

static void test_order(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	struct machine m;

	begin(&m);
	rules_add(rules, "x/a.sql", HEAD
		"SELECT urgency, impact, what, 'so' AS how FROM (SELECT 'none' AS urgency, 1.0 AS impact, 'harmless' AS what "
		"UNION ALL SELECT 'waited', 0.2, 'slow' UNION ALL SELECT 'waited', 0.05, 'brief' "
		"UNION ALL SELECT 'failing', 0.3, 'dead' UNION ALL SELECT 'waited', 0.9, 'stuck' UNION ALL SELECT 'waited', 0.3, 'slower')",
		false);
	f = ask(&m, rules, NULL);
	CHECK(f->count == 6 && f->error_count == 0);
	static const char *const titles[] = {"stuck is so", "dead is so", "slower is so", "slow is so", "harmless is so", "brief is so"};
	static const enum severity severities[] = {SEVERITY_CRITICAL, SEVERITY_CRITICAL, SEVERITY_WARNING,
						   SEVERITY_WARNING, SEVERITY_INFO, SEVERITY_INFO};
	for (size_t i = 0; i < f->count && i < ARRAY_SIZE(titles); i++) {
		CHECK_STR(f->items[i].title, titles[i]);
		CHECK(f->items[i].severity == severities[i]);
	}
	store_free(m.store);
}

/* A process is named once, with its first thread or without; who is both is the culprit. */
static void test_affected(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	struct machine m;

	begin(&m);
	rules_add(rules, "x/a.sql", HEAD "SELECT 'waited' AS urgency, 1 AS impact, 1 AS what, 2 AS how, "
		"json('[{\"role\":\"victim\",\"pid\":7},{\"role\":\"culprit\",\"pid\":7,\"tid\":7},{\"role\":\"culprit\",\"pid\":7},"
		"{\"role\":\"victim\",\"pid\":7,\"tid\":8},{\"role\":\"victim\",\"pid\":9}]') AS affected", false);
	f = ask(&m, rules, NULL);
	CHECK(f->count == 1 && f->items[0].affected_count == 3);
	CHECK(f->items[0].affected[0].pid == 7 && !strcmp(f->items[0].affected[0].role, "culprit"));
	CHECK(f->items[0].affected[1].tid == 8 && f->items[0].affected[2].pid == 9);
	store_free(m.store);
}

/* Each is one message with the file, and where that is known the line; the good one beside them is still asked. */
static void test_broken(void)
{
	static const struct {
		const char *text, *wanted;
	} broken[] = {
		{HEAD "SELECT nope\nFROM thread", "x/b.sql:3: no such column: nope"},
		{HEAD "SELECT 1 AS impact,\n 'waited' AS urgency,, 2", "x/b.sql:4: near \",\""},
		{HEAD "SELECT 'waited' AS urgency, 1 AS what, 2 AS hw", "x/b.sql: there is no column for {how}"},
		{HEAD "SELECT 'soon' AS urgency, 1 AS what, 2 AS how", "x/b.sql: column urgency is 'soon'"},
		{HEAD "SELECT 'waited' AS urgency, 1 AS what, 2 AS how, '[' AS affected", "affected is not a JSON array"},
		{HEAD "SELECT 'waited' AS urgency, 1 AS what, 2 AS how, '[{\"role\":\"x\"}]' AS affected", "a role is"},
		{HEAD "DELETE FROM sample", "x/b.sql: not authorized"},
		{HEAD "PRAGMA user_version = 3", "x/b.sql: not authorized"},
		{HEAD "ATTACH '/tmp/x' AS y", "x/b.sql: not authorized"},
		{HEAD "SELECT load_extension('x')", "x/b.sql:"},
		{HEAD "SELECT 1; SELECT 2", "more than one statement"},
		{HEAD "", "there is no statement"},
		{"SELECT 1", "there is no '-- title:' line"},
		{"-- title: t\n-- title: u\n-- summary: s\nSELECT 1", "x/b.sql:2: a second 'title'"},
		{"-- title: t\n-- summary: s\n-- threshold x: y\nSELECT 1", "x/b.sql:3: a threshold is written"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
		_cleanup_(findings_freep) struct findings *f = NULL;
		struct machine m;

		begin(&m);
		rules_add(rules, "x/b.sql", broken[i].text, false);
		rules_add(rules, "x/good.sql", HEAD "SELECT 'waited' AS urgency, 1 AS impact, 1 AS what, 2 AS how", false);
		CHECK(store_commit(m.store) == 0);
		CHECK(findings_new(m.store, rules, NULL, &f) == 0);
		CHECK(f->error_count == 1 && f->count == 1);
		if (f->error_count && !strstr(f->errors[0], broken[i].wanted)) {
			CHECK_STR(f->errors[0], broken[i].wanted);
		}
		store_free(m.store);
	}
}

/* Rules that are asked by several processes say the same, broken ones included. */
static void test_helpers(void)
{
	char *said[2] = {0};

	for (int helped = 0; helped < 2; helped++) {
		_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
		_cleanup_(findings_freep) struct findings *f = NULL;
		_cleanup_(json_decrefp) json_t *json = NULL;
		struct machine m;

		begin_crowded(&m);
		rules_add(rules, "x/many.sql", HEAD "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 101) "
					       "SELECT 'none' AS urgency, 1 AS impact, i AS what, NULL AS how FROM n", false);
		rules_add(rules, "x/broken.sql", HEAD "SELECT nope", false);
		CHECK(store_commit(m.store) == 0);
		CHECK(findings_new(m.store, rules, &(struct findings_options){.helped = helped}, &f) == 0);
		CHECK(f->error_count == 2 && f->count > 1);
		CHECK(strstr(f->errors[0], "no such column: nope") && strstr(f->errors[1], "more than 100 rows"));
		json = findings_json(f);
		said[helped] = json_dumps(json, 0);
		store_free(m.store);
	}
	CHECK_STR(said[1], said[0]);
	free(said[0]);
	free(said[1]);
}

static void test_guard(void)
{
	struct machine m;
	struct query *q = NULL;
	int offset, r;

	begin(&m);
	CHECK(store_commit(m.store) == 0);
	CHECK(query_new_guarded(m.store, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
				50 * NS_PER_MS, &q, &offset) == 0);
	uint64_t start = clock_mono_ns();
	r = query_next(q);
	CHECK(r == -ETIME && clock_mono_ns() - start < 2 * NS_PER_S);
	query_free(q);
	/* The limit is gone with the query, and the store can be written again. */
	CHECK(store_begin(m.store) == 0);
	store_add_slice(m.store, 99, 0, 1);
	CHECK(store_commit(m.store) == 0);
	store_free(m.store);
}

static bool is_kind(const json_t *object, const char *key, json_type type)
{
	const json_t *value = json_object_get(object, key);

	return value && (json_typeof(value) == type || (type == JSON_REAL && json_is_integer(value)));
}

/* Names that want to be markup, an escape sequence, broken UTF-8 or JSON. */
static void test_hostile(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	struct machine m;

	begin(&m);
	cpus(&m, 0, 98);
	code(&m, "ev\033]0;il\xff\"}]");
	uint32_t evil = process(&m, "\033[31m\xff\"]{x}", 100, 0, 50, 0);
	samples(&m, evil, 30, 70);
	waits(&m, process(&m, "a\nb", 1, 0, 50, 0), evil, 50, 98);
	f = ask(&m, rules, NULL);
	CHECK(f->count == 1 && f->error_count == 0 && f->items[0].affected_count == 2);
	findings_text(f, &(struct findings_style){.width = 80}, &text);
	findings_verdict(f, &(struct findings_style){.width = 80}, &text);
	CHECK(!strchr(text.data, '\033') && !strchr(text.data, '\xff') && !strstr(text.data, "a\nb"));
	json_t *document = findings_document(f, m.store);
	char *dumped = json_dumps(document, 0);
	json_t *again = json_loads(dumped, 0, NULL);
	CHECK(again && json_equal(again, document));
	json_decref(again);
	json_decref(document);
	free(dumped);
	store_free(m.store);
}

static void test_json(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	struct machine m;

	begin(&m);
	cpus(&m, 0, 98);
	code(&m, "price");
	uint32_t shop = process(&m, "shop", 100, 0, 50, 0);
	samples(&m, shop, 30, 70);
	for (uint32_t i = 1; i <= SLICES; i++)
		store_add_gauge(m.store, i, SELF_CPU, 0, 10 * NS_PER_MS);
	store_add_gauge(m.store, 3, LOST, 0, 7);
	store_add_unavailable(m.store, "net", "no \"hook\"");
	f = ask(&m, rules, NULL);
	json_t *d = findings_document(f, m.store), *overhead = json_object_get(d, "overhead");
	CHECK_STR(json_string_value(json_object_get(d, "schema")), "perfscope.findings/1");
	CHECK_STR(json_string_value(json_object_get(d, "host")), "box");
	CHECK_STR(json_string_value(json_object_get(d, "kernel")), "6.1");
	CHECK_STR(json_string_value(json_object_get(d, "start")), "2026-01-01T00:00:00Z");
	CHECK(json_real_value(json_object_get(d, "duration_s")) == 10);
	CHECK(json_real_value(json_object_get(overhead, "cpu_percent")) == 1);
	CHECK(json_integer_value(json_object_get(overhead, "lost_events")) == 7);
	CHECK(json_array_size(json_object_get(d, "unavailable")) == 1);
	const json_t *one = json_array_get(json_object_get(d, "findings"), 0);
	CHECK(is_kind(one, "id", JSON_STRING) && is_kind(one, "severity", JSON_STRING) && is_kind(one, "impact", JSON_REAL));
	CHECK(is_kind(one, "title", JSON_STRING) && is_kind(one, "affected", JSON_ARRAY) && is_kind(one, "resource", JSON_OBJECT));
	CHECK(is_kind(one, "evidence", JSON_ARRAY) && is_kind(one, "stacks", JSON_ARRAY) && is_kind(one, "actions", JSON_ARRAY));
	CHECK(is_kind(one, "runbook", JSON_STRING));
	const json_t *who = json_array_get(json_object_get(one, "affected"), 0);
	CHECK(is_kind(who, "role", JSON_STRING) && is_kind(who, "pid", JSON_INTEGER) && is_kind(who, "tid", JSON_INTEGER) &&
	      is_kind(who, "comm", JSON_STRING) && is_kind(who, "cgroup", JSON_STRING));
	const json_t *stack = json_array_get(json_object_get(one, "stacks"), 0);
	CHECK(is_kind(stack, "role", JSON_STRING) && is_kind(stack, "weight_ms", JSON_REAL) && is_kind(stack, "frames", JSON_ARRAY));
	json_decref(d);
	store_free(m.store);
}

/* By hand (sqlite3 FILE < rules/ID.sql) a rule must ask the same as here. */
static void test_thresholds(void)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	struct machine m;

	CHECK(rules_count(rules) >= 3 && !rules_error(rules, 0));
	for (size_t i = 0; i < rules_count(rules); i++) {
		const struct rule *rule = rules_get(rules, i);

		CHECK(rule->builtin && (rule->threshold_count || !strstr(rule->sql, "coalesce(:")) && rule->action_count && *rule->explain);
		for (size_t t = 0; t < rule->threshold_count; t++) {
			_cleanup_free_ char *use = xasprintf("coalesce(:%s, %g)", rule->thresholds[t].name, rule->thresholds[t].value);

			CHECK(strstr(rule->sql, use) && *rule->thresholds[t].reason);
		}
	}
	CHECK(rules_set_threshold(rules, "cpu.single-thread.busy=1.1") == 0);
	CHECK(rules_set_threshold(rules, "cpu.single-thread.nope=1") == -EINVAL);
	CHECK(rules_set_threshold(rules, "cpu.nope.busy=1") == -EINVAL);
	CHECK(rules_set_threshold(rules, "cpu.single-thread.busy=much") == -EINVAL);
	CHECK(rules_set_threshold(rules, "busy=1") == -EINVAL);
	begin(&m);
	cpus(&m, 0, 98);
	process(&m, "shop", 100, 0, 50, 0);
	f = ask(&m, rules, NULL);
	CHECK(f->count == 0);
	store_free(m.store);
}

static void write_file(const char *folder, const char *name, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", folder, name);
	_cleanup_fclose_ FILE *file = fopen(path, "w");

	CHECK(file && fputs(text, file) >= 0);
}

static void test_folders(void)
{
	char folder[] = "/tmp/perfscope-rules-XXXXXX";

	CHECK(mkdtemp(folder));
	write_file(folder, "cpu.hotspot.sql", HEAD "SELECT 1 WHERE 0");
	write_file(folder, "Bad Name.sql", HEAD "SELECT 1");
	write_file(folder, "notes.txt", "nothing");
	const char *const folders[] = {"/nonexistent/rules.d", folder, NULL};
	_cleanup_(rules_freep) struct rules *rules = rules_new(folders);
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	CHECK(!rules_find(rules, "cpu.hotspot")->builtin && rules_find(rules, "cpu.saturation")->builtin);
	CHECK(rules_error(rules, 0) && strstr(rules_error(rules, 0), "Bad Name.sql") && !rules_error(rules, 1));
	rules_list(rules, &text);
	CHECK(strstr(text.data, folder));
	_cleanup_free_ char *clean = xasprintf("rm -rf %s", folder);
	CHECK(system(clean) == 0);
}

int main(void)
{
	test_single_thread(true);
	test_single_thread(false);
	test_saturation();
	test_crowd_of_equals();
	test_own();
	test_hotspot();
	test_focus();
	test_baseline();
	test_nothing_is_left();
	test_order();
	test_affected();
	test_broken();
	test_helpers();
	test_guard();
	test_hostile();
	test_json();
	test_thresholds();
	test_folders();
	return check_done("findings");
}
