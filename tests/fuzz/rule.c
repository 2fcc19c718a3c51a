// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer target: a rule of a user's folder: its header, and its SQL asked about a small recording. */
#include "fuzz.h"

#include "findings.h"
#include "rule.h"
#include "store_write.h"

static struct store *small_recording(void)
{
	struct store *s;

	if (store_create(":memory:", &s) < 0 || store_begin(s) < 0)
		abort();
	store_add_slice(s, 1, 0, 1000000000);
	store_add_metric(s, 1, "task.running", "ns", "");
	store_put_process(s, &(struct process_row){.id = 1, .pid = 100, .comm = "shop", .exit_status = -1});
	store_put_task(s, &(struct task_row){.id = 1, .process = 1, .tid = 100, .comm = "shop"});
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = 1, .task = 1, .count = 1, .value = 1000});
	if (store_commit(s) < 0)
		abort();
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const only[] = {"input", NULL};
	static struct store *s;
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	_cleanup_(findings_freep) struct findings *f = NULL;
	_cleanup_free_ char *sql = fuzz_text(data, size);

	if (!s)
		s = small_recording();
	rules_add(rules, "fuzz/input.sql", sql, false);
	if (rules_find(rules, "input") && findings_new(s, rules, &(struct findings_options){.only = only}, &f) == 0)
		json_decref(findings_document(f, s));
	return 0;
}
