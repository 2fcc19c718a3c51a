// SPDX-License-Identifier: BSD-2-Clause
/* Rules and views about locks, over recordings that are made by hand. */
#include "check.h"

#include <string.h>

#include "clock.h"
#include "findings.h"
#include "rule.h"
#include "store_query.h"
#include "store_write.h"

static struct store *begin(const char *metric)
{
	struct store *s;

	CHECK(store_create(":memory:", &s) == 0 && store_begin(s) == 0);
	store_add_metric(s, 1, metric, "ns", "");
	store_add_slice(s, 1, 0, NS_PER_S);
	store_put_process(s, &(struct process_row){.id = 1, .pid = 10, .comm = "printer", .end_ns = UINT64_MAX});
	store_put_task(s, &(struct task_row){.id = 1, .process = 1, .tid = 10, .comm = "printer", .end_ns = UINT64_MAX});
	return s;
}

/* Who waits for these; what to do, and about what. */
static void test_circle(const char *threads, const char *kind, const char *advice)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	struct store *s = begin("wait.ipc");
	char detail[512];

	snprintf(detail, sizeof(detail), "{\"pid\":10,\"comm\":\"printer\",\"behind\":0,\"threads\":[%s]}", threads);
	store_add_event(s, NS_PER_S, "deadlock", 1, 0, 1, detail);
	CHECK(store_commit(s) == 0);
	_cleanup_(findings_freep) struct findings *f = NULL;
	CHECK(findings_new(s, rules, &(struct findings_options){.only = (const char *const[]){"lock.deadlock", NULL}}, &f) == 0);
	CHECK(f->error_count == 0 && f->count == 1);
	if (f->count) {
		CHECK_STR(f->items[0].resource_kind, kind);
		CHECK(f->items[0].action_count == 2 && strstr(f->items[0].actions[1], advice));
	}
	store_free(s);
}

/* A stack from the root on, all of it in the kernel; its waits for a lock are part of this call. */
static void test_call(const char *const *functions, const char *call)
{
	_cleanup_(query_freep) struct query *q = NULL;
	struct store *s = begin("wait.kernel_lock");
	uint32_t n = 0;

	store_put_module(s, 1, "kernel", "[kernel]", NULL, 0);
	for (; functions[n]; n++) {
		store_add_symbol(s, n + 1, 1, functions[n], "", n, 1);
		store_add_frame(s, n + 1, 1, n);
		store_name_frame(s, n + 1, n + 1, 0);
		store_add_stack(s, n + 1, n, n + 1);
	}
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = 1, .task = 1, .stack = n, .count = 1, .value = 1000});
	CHECK(store_commit(s) == 0);
	CHECK(query_new(s, "SELECT call FROM kernel_lock_wait", &q) == 0 && query_next(q) == 1);
	CHECK_STR(query_text(q, 0), call);
	query_freep(&q);
	q = NULL;
	store_free(s);
}

#define WAITS(pid, kind) "{\"pid\":" pid ",\"tid\":" pid ",\"comm\":\"printer\",\"kind\":\"" kind "\",\"lock\":\"it\",\"sure\":true,\"seconds\":9,\"frames\":[]}"

int main(void)
{
	test_circle(WAITS("10", "pipe"), "pipe", "Close the end of the pipe");
	test_circle(WAITS("10", "pipe") "," WAITS("11", "socket"), "pipe", "Read answers");
	test_circle(WAITS("10", "socket") "," WAITS("11", "socket"), "socket", "Read answers");
	test_circle(WAITS("10", "futex"), "futex", "time limit");
	test_call((const char *const[]){"do_syscall_64", "x64_sys_call", "__x64_sys_munmap", "__vm_munmap", "down_write", NULL}, "munmap");
	test_call((const char *const[]){"do_syscall_64", "x64_sys_call", "__vm_munmap", "down_write", NULL}, "a system call");
	test_call((const char *const[]){"asm_exc_page_fault", "exc_page_fault", "down_read", NULL}, "page fault");
	return check_done("rules_lock");
}
