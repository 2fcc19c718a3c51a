// SPDX-License-Identifier: BSD-2-Clause
/* libFuzzer target: a runbook: what is accepted can be shown and taken, but for commands. */
#include "fuzz.h"

#include "buf.h"
#include "findings.h"
#include "rule.h"
#include "runbook.h"
#include "store_write.h"

struct fixture {
	struct rules *rules;
	struct store *store;
	struct findings *findings;
};

static struct fixture fixture_new(void)
{
	struct fixture x = {.rules = rules_new(NULL)};

	if (store_create(":memory:", &x.store) < 0 || store_begin(x.store) < 0)
		abort();
	store_add_slice(x.store, 1, 0, 1000000000);
	if (store_commit(x.store) < 0 || findings_new(x.store, x.rules, &(struct findings_options){0}, &x.findings) < 0)
		abort();
	return x;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fixture x;
	_cleanup_(runbook_freep) struct runbook *rb = NULL;
	_cleanup_(buf_done) struct buf text = BUF_INIT;
	json_t *result = NULL;

	if (!x.rules)
		x = fixture_new();
	if (runbook_parse("fuzz/input.yaml", (const char *)data, size, x.rules, &rb) < 0)
		return 0;
	runbook_markdown(rb, &text);
	if (runbook_run(rb, x.store, x.findings, &(struct runbook_actions){0}, &result) == 0)
		runbook_result_text(result, &text);
	json_decref(result);
	return 0;
}
