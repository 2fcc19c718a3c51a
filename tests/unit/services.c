// SPDX-License-Identifier: BSD-2-Clause
/* Objectives for services, and the rules about requests, over a recording that is filled by hand. */
#include "check.h"

#include <errno.h>

#include "clock.h"
#include "findings.h"
#include "histogram.h"
#include "mem.h"
#include "rule.h"
#include "store_write.h"

enum { TIME = 1, CPU, PEER, CALL, CALLS };
enum { SHOP = 1, STOCK = 2 }; /* processes, and the services that they offer */

static struct store *begin(void)
{
	static const char *const metrics[] = {[TIME] = "request.time", [CPU] = "request.cpu", [PEER] = "request.peer",
					      [CALL] = "call.time", [CALLS] = "service.call"};
	struct store *s;

	CHECK(store_create(":memory:", &s) == 0);
	CHECK(store_begin(s) == 0);
	for (uint32_t i = 1; i < ARRAY_SIZE(metrics); i++)
		store_add_metric(s, i, metrics[i], "ns", "");
	store_add_slice(s, 1, 0, 10 * NS_PER_S);
	for (uint32_t i = SHOP; i <= STOCK; i++) {
		const char *comm = i == SHOP ? "shop" : "stock";

		store_put_process(s, &(struct process_row){.id = i, .pid = 100 + i, .comm = comm, .end_ns = UINT64_MAX, .exit_status = -1});
		store_put_task(s, &(struct task_row){.id = i, .process = i, .tid = 100 + i, .comm = comm, .end_ns = UINT64_MAX});
	}
	store_add_resource(s, SHOP, "service", "10.0.0.1:8080");
	store_add_resource(s, STOCK, "service", "127.0.0.1:9090");
	return s;
}

static void answers(struct store *s, uint32_t who, unsigned count, unsigned ms, unsigned part)
{
	uint64_t ns = ms * 1000000ull;

	store_add_histogram(s, 1, TIME, who, histogram_bucket(ns), count);
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = TIME, .task = who, .resource = who, .count = count,
						  .value = count * ns});
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = part, .task = who, .resource = who, .value = count * ns});
}

/* The shop asks the stock. */
static void calls(struct store *s, unsigned count, unsigned ms)
{
	store_add_edge(s, &(struct edge_row){.slice = 1, .kind = CALLS, .task = SHOP, .other_task = STOCK, .resource = STOCK,
					      .count = count, .ns = count * ms * 1000000ull});
}

static struct findings *find(struct store *s, const char *objective)
{
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);
	struct findings *f = NULL;

	CHECK(store_commit(s) == 0);
	CHECK(!objective || rules_add_objective(rules, objective) == 0);
	CHECK(findings_new(s, rules, &(struct findings_options){.only = (const char *const[]){"app.slo", "app.downstream", NULL}}, &f) == 0);
	CHECK(f->error_count == 0);
	return f;
}

/* 900 requests of 5 ms and 100 of 50 ms. */
static size_t broken(const char *objective)
{
	struct store *s = begin();

	answers(s, SHOP, 900, 5, CPU);
	answers(s, SHOP, 100, 50, CPU);
	struct findings *f = find(s, objective);
	size_t count = f->count;

	if (count) {
		CHECK_STR(f->items[0].id, "app.slo");
		CHECK(f->items[0].severity >= SEVERITY_WARNING);
		CHECK_STR(f->items[0].resource_name, "10.0.0.1:8080");
		CHECK_STR(f->items[0].affected[0].comm, "shop");
	}
	findings_free(f);
	store_free(s);
	return count;
}

static void test_objectives(void)
{
	CHECK(broken("port=8080 p99<20ms") == 1);
	CHECK(broken("port=8080 p95<20ms p50<4ms max<40ms mean<9ms") == 4);
	CHECK(broken("port=8080 p50<6ms p90<20000us p99<0.1s max<1s mean<10ms") == 0);
	CHECK(broken(NULL) == 0);
}

/* That there is too little to tell is said, and is no alarm. */
static void test_too_few(const char *objective)
{
	struct store *s = begin();

	answers(s, SHOP, 3, 50, CPU);
	struct findings *f = find(s, objective);
	CHECK(f->count == 1 && f->items[0].severity == SEVERITY_INFO);
	findings_free(f);
	store_free(s);
}

/* The impact is the part of the response time that is too much. */
static void test_impact(void)
{
	struct store *s = begin();

	answers(s, SHOP, 900, 5, CPU);
	answers(s, SHOP, 99, 50, CPU);
	answers(s, SHOP, 1, 500, CPU);
	struct findings *f = find(s, "port=8080 p99<20ms");
	CHECK(f->count == 1 && f->items[0].impact > 0.55 && f->items[0].impact < 0.65);
	findings_free(f);
	store_free(s);
}

static void test_syntax(void)
{
	static const char *const wrong[] = {"", "8080 p99<20ms", "port=8080", "port=0 p99<20ms", "port=http p99<20ms", "port=80 p98<2ms",
					    "port=80 p99>2ms", "port=80 p99<2", "port=80 p99<ms", "port=80 p99<2m", "port=80 p99<-2ms"};
	_cleanup_(rules_freep) struct rules *rules = rules_new(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		CHECK(rules_add_objective(rules, wrong[i]) == -EINVAL);
	CHECK(rules_add_objective(rules, "port=/run/app.sock p99<2ms") == 0);
}

static struct findings *chain(unsigned ms, const char *objective)
{
	struct store *s = begin();

	answers(s, SHOP, 100, ms + 2, PEER);
	answers(s, STOCK, 100, ms, CPU);
	calls(s, 100, ms);
	struct findings *f = find(s, objective);
	store_free(s);
	return f;
}

static void test_downstream(void)
{
	struct findings *f = chain(60, "port=8080 p50<20ms");

	/* The objective's breach is a symptom. */
	CHECK(f->count == 1);
	CHECK_STR(f->items[0].id, "app.downstream");
	CHECK_STR(f->items[0].resource_name, "127.0.0.1:9090");
	CHECK_STR(f->items[0].affected[0].comm, "stock");
	CHECK_STR(f->items[0].affected[0].role, "culprit");
	CHECK_STR(f->items[0].affected[1].comm, "shop");
	findings_free(f);
	f = chain(3, NULL);
	CHECK(f->count == 0);
	findings_free(f);
}

int main(void)
{
	test_objectives();
	test_too_few("port=8080 p99<20ms");
	test_too_few("port=80 p99<20ms");
	test_impact();
	test_syntax();
	test_downstream();
	return check_done("services");
}
