// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "exporter.h"
#include "fail.h"
#include "io.h"
#include "store_query.h"
#include "store_write.h"

static struct store *filled(void)
{
	struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0);
	CHECK(store_begin(s) == 0);
	store_add_metric(s, 1, "cpu.time", "ns", "");
	store_add_metric(s, 2, "offcpu.lock", "ns", ""); /* totals alone */
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = 2, .task = 1, .count = 1, .value = 7});
	for (uint32_t i = 1; i <= 2; i++) {
		store_add_slice(s, i, (i - 1) * NS_PER_S, i * NS_PER_S);
		store_put_process(s, &(struct process_row){.id = i, .pid = 100 * i, .comm = i == 1 ? "a;b\n" : "two_[k]"});
		store_put_task(s, &(struct task_row){.id = i, .process = i, .tid = i, .comm = "t"});
	}
	store_put_module(s, 1, "kernel", "[kernel]", NULL, 0);
	store_put_module(s, 2, "elf", "/bin/x", NULL, 0);
	store_put_module(s, 3, "jit", "[jit]", NULL, 0);
	store_add_symbol(s, 1, 2, "f(int;)", NULL, 0, 0);
	store_add_symbol(s, 2, 2, "small", NULL, 0, 0);
	store_add_symbol(s, 3, 1, "do_read", NULL, 0, 0);
	store_add_symbol(s, 4, 3, "js\033[31m", NULL, 0, 0);
	for (uint32_t i = 1; i <= 4; i++)
		store_add_frame(s, i, (const uint32_t[]){2, 1, 3, 2}[i - 1], 0x10 * i);
	store_name_frame(s, 1, 1, 0);
	store_add_inlined(s, 1, 0, 2, 0);
	store_name_frame(s, 2, 3, 0);
	store_name_frame(s, 3, 4, 0);
	for (uint32_t i = 1; i <= 4; i++)
		store_add_stack(s, i, i - 1, i);
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = 1, .task = 1, .stack = 2, .count = 1, .value = 7});
	store_add_sample(s, &(struct sample_row){.slice = 2, .metric = 1, .task = 2, .stack = 4, .count = 1, .value = 5});
	store_add_sample(s, &(struct sample_row){.slice = 2, .metric = 1, .task = 2, .count = 1, .value = 3});
	CHECK(store_commit(s) == 0);
	return s;
}

static int export_to(struct store *s, enum profile profile, struct buf *text)
{
	_cleanup_fclose_ FILE *f = tmpfile();
	int r = all_exporters[0]->write(s, &(struct export_options){.profile = profile}, fileno(f), "it");

	rewind(f);
	CHECK(read_fd(fileno(f), 1 << 20, text) >= 0);
	return r;
}

static void test_folded(void)
{
	_cleanup_(store_freep) struct store *s = filled();
	_cleanup_(buf_done) struct buf all = BUF_INIT, part = BUF_INIT, none = BUF_INIT;

	CHECK_STR(exporter_names[0], "folded");
	CHECK(export_to(s, PROFILE_CPU, &all) == 0);
	CHECK(strstr(all.data, "a:b?;f(int:);small_[i];do_read_[k] 7\n"));
	CHECK(strstr(all.data, ";f(int:);small_[i];do_read_[k];js?[31m_[j];[x+0x40] 5\n"));
	CHECK(strstr(all.data, ";[stack not readable] 3\n"));
	CHECK(store_select(s, &(struct selection){.pid = 100}) == 0);
	CHECK(export_to(s, PROFILE_CPU, &part) == 0);
	CHECK_STR(part.data, "a:b?;f(int:);small_[i];do_read_[k] 7\n");
	CHECK(export_to(s, PROFILE_OFFCPU, &none) == -ENODATA);
	CHECK(strstr(fail_message(), "this recording has no offcpu stacks (recorded without probe offcpu)"));
	CHECK(store_select(s, &(struct selection){.pid = 100, .from_ns = NS_PER_S}) == 0);
	CHECK(export_to(s, PROFILE_CPU, &none) == -ENODATA);
	CHECK(none.len == 0);
}

static void test_unavailable(void)
{
	_cleanup_(store_freep) struct store *s = filled();
	_cleanup_(buf_done) struct buf none = BUF_INIT;

	CHECK(store_begin(s) == 0);
	store_add_unavailable(s, "offcpu", "no tracepoint");
	CHECK(store_commit(s) == 0);
	CHECK(export_to(s, PROFILE_LOCK, &none) == -ENODATA);
	CHECK(strstr(fail_message(), "the probe offcpu was not available (no tracepoint)"));
}

int main(void)
{
	test_folded();
	test_unavailable();
	return check_done("export");
}
