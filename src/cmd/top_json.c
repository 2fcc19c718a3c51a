// SPDX-License-Identifier: BSD-2-Clause
#include "top_json.h"

#include "clock.h"
#include "json_text.h"
#include "rows.h"
#include "store_query.h"

enum { MOST_CPUS = 1024 };

static json_t *row_value(const struct row *row)
{
	const struct window_process *p = row->process;
	json_t *times = json_object();
	json_t *value = json_pack("{si si so so so so}", "pid", (int)p->pid, "ppid", (int)p->ppid,
				  "user", json_text(p->user), "comm", json_text(row->thread ? row->thread->comm : p->comm),
				  "command", json_text(p->command), "cgroup", json_text(p->cgroup));

	if (row->thread)
		json_object_set_new(value, "tid", json_integer(row->thread->tid));
	else
		json_object_set_new(value, "threads", json_integer(p->threads));
	json_object_set_new(value, "cpu_percent", json_real(row_percent(row, RUNNING)));
	json_object_set_new(value, "runnable_percent", json_real(row_percent(row, RUNNABLE)));
	json_object_set_new(value, "blocked_percent", json_real(row_blocked_percent(row)));
	json_object_set_new(value, "switches_per_s", json_real(row_switch_rate(row)));
	for (int i = 0; i < STATES; i++)
		json_object_set_new(times, state_kinds[i].name, json_real((double)row->times->ns[i] / 1e6));
	json_object_set_new(value, "state_ms", times);
	return value;
}

static json_t *rows_value(const struct window *w, bool threads)
{
	struct row_list list = {0};
	json_t *values = json_array();

	rows_build(&list, w, &(struct row_order){.threads = threads, .reverse = true, .field = ROW_CPU});
	for (uint32_t i = 0; i < list.count; i++)
		json_array_append_new(values, row_value(&list.rows[i]));
	rows_done(&list);
	return values;
}

static json_t *cpus_value(const struct window *w)
{
	static const char *const parts[] = {"user", "nice", "system", "irq", "softirq", "steal", "iowait", "idle"};
	uint32_t cpus[MOST_CPUS], count = window_cpus(w, cpus, MOST_CPUS);
	json_t *values = json_array();

	for (uint32_t i = 0; i < count; i++) {
		json_t *value = json_pack("{si}", "cpu", (int)cpus[i]);

		for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
			char metric[32];

			snprintf(metric, sizeof(metric), "cpu.%s", parts[k]);
			json_object_set_new(value, parts[k], json_real(window_level(w, metric, window_cpu_resource(w, cpus[i]))));
		}
		json_array_append_new(values, value);
	}
	return values;
}

static json_t *latency_value(const struct window *w)
{
	return json_pack("{sf sf sf}", "p50_us", (double)window_quantile(w, "runqueue.latency", 0, 0.5) / 1e3, "p99_us",
			 (double)window_quantile(w, "runqueue.latency", 0, 0.99) / 1e3, "max_us", (double)window_quantile(w, "runqueue.latency", 0, 1) / 1e3);
}

static json_t *overhead_value(const struct window *w)
{
	double own_ns = window_level_sum(w, "self.cpu", 0) + window_level_sum(w, "self.bpf", 0);
	double lost = window_level_sum(w, "lost.records", 0) + window_level_sum(w, "lost.threads", 0) +
		      window_level_sum(w, "lost.mappings", 0) + window_level_sum(w, "lost.switches", 0);
	uint64_t ns = window_ns(w);

	return json_pack("{sf sf sI}", "cpu_percent", ns ? 100 * own_ns / (double)ns : 0.0, "memory_bytes",
			 window_level(w, "self.memory", 0), "lost_events", (json_int_t)lost);
}

void top_json(struct store *s, const struct window *w, bool threads, json_t *findings, struct buf *text)
{
	char host[256], kernel[256], when[21];

	clock_format_utc((uint64_t)store_meta_int(s, "start_wall_ns") + window_end_ns(w), when);
	json_t *root = json_pack("{ss so so ss sf sf so so so so}", "schema", "perfscope.top/1", "host",
				 json_text(store_meta_text(s, "host", host, sizeof(host))), "kernel",
				 json_text(store_meta_text(s, "kernel", kernel, sizeof(kernel))), "time", when, "window_s",
				 (double)window_ns(w) / NS_PER_S, "load", window_level(w, "load", 0), "cpus",
				 cpus_value(w), "runqueue_latency", latency_value(w), "overhead", overhead_value(w), "findings", findings);
	json_object_set_new(root, threads ? "threads" : "processes", rows_value(w, threads));
	char *dump = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(6));

	buf_addf(text, "%s\n", dump);
	free(dump);
	json_decref(root);
}
