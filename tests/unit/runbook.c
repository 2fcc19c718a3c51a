// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <errno.h>

#include "buf.h"
#include "clock.h"
#include "fail.h"
#include "findings.h"
#include "mem.h"
#include "rule.h"
#include "runbook.h"
#include "store_write.h"

static struct rules *rules;

#define GOOD "issue: slow\ncauses: [load]\nsteps:\n"                                                    \
	"  - {name: look, collect: 5s}\n"                                                               \
	"  - {name: ask, rules: [cpu.hotspot, cpu.saturation], note: first}\n"                          \
	"  - {name: count, query: SELECT count(*) AS n FROM slice}\n"                                   \
	"  - {name: more, when: cpu.saturation, query: SELECT 1}\n"                                     \
	"  - {name: none, when: nothing, query: 'SELECT ''a;b'' AS t'}\n"                               \
	"solutions:\n  - do: add CPUs\n  - {when: cpu.saturation, do: renice}\n"

static int parse(const char *text, struct runbook **ret_rb)
{
	return runbook_parse("x/slow.yaml", text, strlen(text), rules, ret_rb);
}

/* Every built-in one is well written and can be shown. */
static void test_builtin(void)
{
	const char *name;
	size_t count = 0;

	for (; (name = runbook_name(count)); count++) {
		_cleanup_(runbook_freep) struct runbook *rb = NULL;
		_cleanup_(buf_done) struct buf text = BUF_INIT;

		CHECK(runbook_open(name, rules, &rb) == 0);
		runbook_markdown(rb, &text);
		CHECK(!strncmp(text.data, "# ", 2) && strstr(text.data, "## Solutions") && !strstr(text.data, "\\x"));
	}
	CHECK(count >= 1);
}

static void test_run(void)
{
	_cleanup_(runbook_freep) struct runbook *rb = NULL;
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_(findings_freep) struct findings *f = NULL;
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	json_t *result = NULL;

	CHECK(parse(GOOD, &rb) == 0);
	CHECK_STR(rb->name, "slow");
	CHECK(rb->step_count == 5 && runbook_collect_ns(rb) == 5 * NS_PER_S);
	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	store_add_slice(s, 1, 0, NS_PER_S);
	CHECK(store_commit(s) == 0);
	CHECK(findings_new(s, rules, NULL, &f) == 0 && f->count == 0);
	CHECK(runbook_run(rb, s, f, NULL, &result) == 0);
	const json_t *steps = json_object_get(result, "steps"), *count = json_array_get(steps, 2);
	CHECK(json_array_size(steps) == 5);
	CHECK(json_array_size(json_object_get(json_array_get(steps, 1), "found")) == 0);
	CHECK_STR(json_string_value(json_array_get(json_object_get(count, "columns"), 0)), "n");
	CHECK_STR(json_string_value(json_array_get(json_array_get(json_object_get(count, "rows"), 0), 0)), "1");
	CHECK(json_is_false(json_object_get(json_array_get(steps, 3), "ran")));
	CHECK(json_is_true(json_object_get(json_array_get(steps, 4), "ran")));
	CHECK(json_array_size(json_object_get(result, "solutions")) == 1);
	runbook_result_text(result, &text);
	CHECK(strstr(text.data, " 4. more: not called for") && strstr(text.data, "a;b") && strstr(text.data, "add CPUs"));
	json_decref(result);
}

struct asked {
	struct store *store;
	struct findings *findings;
	char said[256];
};

static int ask_collect(void *arg, uint64_t ns, struct store **ret_store, const struct findings **ret_findings)
{
	struct asked *a = arg;

	strcat(a->said, "collect ");
	*ret_store = a->store;
	*ret_findings = a->findings;
	return ns == 9 * NS_PER_S ? 0 : failx(-EINVAL, "not 9 s");
}

static int ask_wait(void *arg, uint64_t ns)
{
	strcat(((struct asked *)arg)->said, "wait ");
	return 0;
}

static int ask_execute(void *arg, const char *command, struct buf *text)
{
	strcat(((struct asked *)arg)->said, command);
	buf_addstr(text, "half of it\n");
	return strcmp(command, "stop") ? failx(-EIO, "it ended with status 3") : failx(-EINTR, "interrupted");
}

/* Steps that need more than a recording are taken in order, where they can be, and say why where they cannot. */
static void test_actions(void)
{
	static const char text[] = "issue: slow\ncauses: [load]\nsteps:\n"
		"  - {name: ask, rules: [cpu.hotspot]}\n"
		"  - {name: again, collect: 9s}\n"
		"  - {name: rest, wait: 1s}\n"
		"  - {name: dump, threads: culprit}\n"
		"  - {name: fails, exec: uptime}\n"
		"  - {name: ends, exec: stop}\n"
		"  - {name: never, wait: 1s}\n"
		"solutions:\n  - do: add CPUs\n";
	_cleanup_(runbook_freep) struct runbook *rb = NULL;
	_cleanup_(store_freep) struct store *s = NULL;
	_cleanup_(findings_freep) struct findings *f = NULL;
	_cleanup_(buf_done) struct buf shown = BUF_INIT;
	json_t *result = NULL;

	CHECK(parse(text, &rb) == 0 && runbook_collect_ns(rb) == 0);
	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	store_add_slice(s, 1, 0, NS_PER_S);
	CHECK(store_commit(s) == 0 && findings_new(s, rules, NULL, &f) == 0);

	CHECK(runbook_run(rb, s, f, NULL, &result) == 0);
	runbook_result_text(result, &shown);
	CHECK(strstr(shown.data, " 2. again: only while looking at a machine") && strstr(shown.data, " 5. fails: only with --allow-exec"));
	json_decref(result);

	struct asked a = {.store = s, .findings = f};
	const struct runbook_actions actions = {.arg = &a, .collect = ask_collect, .wait = ask_wait, .execute = ask_execute};
	CHECK(runbook_run(rb, s, f, &actions, &result) == 0);
	CHECK_STR(a.said, "collect wait uptimestop");
	buf_reset(&shown);
	runbook_result_text(result, &shown);
	CHECK(strstr(shown.data, " 5. fails\n     half of it\n     failed: it ended with status 3"));
	CHECK(strstr(shown.data, " 7. never: interrupted"));
	json_decref(result);
}

/* One message each, with line and column. */
static void test_broken(void)
{
	static const struct {
		const char *text, *wanted;
	} broken[] = {
		{"", "x/slow.yaml:1:1: the runbook is empty"},
		{"issue: [", "x/slow.yaml:2:1:"},
		{"- a", "x/slow.yaml:1:1: 'key: value' lines are wanted here"},
		{"issue: a\nissue: b", "x/slow.yaml:2:1: a second 'issue'"},
		{"issue: a\ntypo: b", "x/slow.yaml:2:1: 'typo' means nothing here"},
		{"issue: a\ncauses: b", "x/slow.yaml:2:9: a list is wanted here"},
		{"issue: a", "x/slow.yaml:1:1: a runbook has"},
		{"steps:\n  - name: a", "x/slow.yaml:2:5: a step has one of"},
		{"steps:\n  - {name: a, collect: 1s, query: SELECT 1}", "x/slow.yaml:2:35: a step does one thing"},
		{"steps:\n  - {name: a, when: cpu.hotspot, query: SELECT 1}", "x/slow.yaml:2:5: the first step is always"},
		{"steps:\n  - {name: a, wait: 2h}", "x/slow.yaml:2:21: '2h' is no duration"},
		{"steps:\n  - {name: a, threads: 17}", "x/slow.yaml:2:24: threads of whom?"},
		{"steps:\n  - {name: a, flamegraph: gpu}", "x/slow.yaml:2:27: there is no kind of flame graph 'gpu'"},
		{"steps:\n  - {name: a, collect: soon}", "x/slow.yaml:2:24: 'soon' is no duration"},
		{"steps:\n  - {name: a, rules: [cpu.nope]}", "x/slow.yaml:2:23: there is no rule 'cpu.nope'"},
		{"steps:\n  - {name: a, when: never, query: SELECT 1}", "x/slow.yaml:2:21: there is no rule 'never'"},
		{"steps:\n  - {name: a, query: SELECT nope FROM task}", "x/slow.yaml:2:22: query: no such column"},
		{"steps:\n  - {name: a, query: DROP TABLE task}", "x/slow.yaml:2:22: query: not authorized"},
		{"steps:\n  - {name: a, shell: rm}", "x/slow.yaml:2:15: 'shell' means nothing here"},
		{"solutions:\n  - when: cpu.hotspot", "x/slow.yaml:2:5: a solution wants a 'do'"},
		{"issue: \"\\0\"", "x/slow.yaml:1:8: an empty text"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		_cleanup_(runbook_freep) struct runbook *rb = NULL;

		CHECK(parse(broken[i].text, &rb) == -EINVAL);
		if (!strstr(fail_message(), broken[i].wanted)) {
			CHECK_STR(fail_message(), broken[i].wanted);
		}
	}
	struct runbook *none = NULL;
	CHECK(runbook_open("no-such", rules, &none) == -ENOENT);
	CHECK(runbook_open("/nonexistent/x.yaml", rules, &none) == -ENOENT);
}

/* Cut anywhere: an error or a runbook, never a crash. */
static void test_truncated(void)
{
	for (size_t length = 0; length < strlen(GOOD); length++) {
		_cleanup_(runbook_freep) struct runbook *rb = NULL;
		int r = runbook_parse("x.yaml", GOOD, length, rules, &rb);

		if (r < 0 && !strstr(fail_message(), "x.yaml:"))
			CHECK_STR(fail_message(), "x.yaml:");
	}
}

int main(void)
{
	rules = rules_new(NULL);
	test_builtin();
	test_run();
	test_actions();
	test_broken();
	test_truncated();
	rules_free(rules);
	return check_done("runbook");
}
