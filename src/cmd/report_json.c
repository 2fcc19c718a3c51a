// SPDX-License-Identifier: BSD-2-Clause
#include <jansson.h>

#include "clock.h"
#include "json_text.h"
#include "report_print.h"
#include "report_saturation.h"
#include "report_waits.h"

static json_t *text_or_null(const char *s)
{
	return *s ? json_text(s) : json_null();
}

static json_t *whole(uint64_t n)
{
	return json_integer((json_int_t)(n <= INT64_MAX ? n : INT64_MAX));
}

static json_t *ms(uint64_t ns)
{
	return json_real((double)ns / 1e6);
}

static json_t *percent(uint64_t part, uint64_t all)
{
	return json_real(all ? 100.0 * (double)part / (double)all : 0);
}

static json_t *pack_latency(const struct report_latency *l)
{
	return json_pack("{so sf sf sf sf}", "count", whole(l->count), "p50_us", (double)l->p50 / 1e3, "p90_us",
			 (double)l->p90 / 1e3, "p99_us", (double)l->p99 / 1e3, "max_us", (double)l->max / 1e3);
}

static json_t *pack_cpu(const struct report_cpu *c)
{
	return json_pack("{so sf sf sf sf sf sf so}", "cpu", json_text(c->name), "busy_percent", c->busy, "user_percent",
			 c->user, "system_percent", c->system, "irq_percent", c->irq, "steal_percent", c->steal,
			 "iowait_percent", c->iowait, "runqueue", pack_latency(&c->latency));
}

static void set_times(json_t *object, const struct report *r, const struct report_times *t)
{
	uint64_t blocked = t->sleeping + t->disk + t->stopped;

	json_object_set_new(object, "cpu_percent", percent(t->running, r->ns));
	json_object_set_new(object, "runnable_percent", percent(t->runnable, r->ns));
	json_object_set_new(object, "blocked_percent", percent(blocked, r->ns));
	json_object_set_new(object, "running_ms", ms(t->running));
	json_object_set_new(object, "runnable_ms", ms(t->runnable));
	json_object_set_new(object, "blocked_ms", ms(blocked));
	json_object_set_new(object, "sleeping_ms", ms(t->sleeping));
	json_object_set_new(object, "disk_ms", ms(t->disk));
	json_object_set_new(object, "stopped_ms", ms(t->stopped));
	json_object_set_new(object, "switches", whole(t->switches));
	json_object_set_new(object, "preempted", whole(t->preempted));
}

static json_t *pack_process(const struct report *r, const struct report_process *p)
{
	json_t *object = json_pack(
		"{si si so so so sb si sf so so}", "pid", (int)p->pid, "ppid", (int)p->ppid, "comm", json_text(p->comm),
		"command", text_or_null(p->command), "cgroup", text_or_null(p->cgroup), "kernel", p->kernel, "threads",
		(int)p->threads, "start_s", (double)p->start_ns / 1e9, "end_s",
		p->end_ns < 0 ? json_null() : json_real((double)p->end_ns / 1e9), "exit_status",
		p->exit_status < 0 ? json_null() : json_integer(p->exit_status));

	set_times(object, r, &p->times);
	return object;
}

static json_t *pack_processes(const struct report *r, size_t limit)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->process_count && json_array_size(list) < limit; i++)
		if (!r->processes[i].own)
			json_array_append_new(list, pack_process(r, &r->processes[i]));
	return list;
}

static json_t *pack_threads(const struct report *r, size_t limit)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->thread_count && json_array_size(list) < limit; i++) {
		const struct report_thread *t = &r->threads[i];
		const struct report_process *p = &r->processes[t->process];

		if (p->own)
			continue;
		json_t *object = json_pack("{si si so so}", "tid", (int)t->tid, "pid", (int)p->pid, "comm",
					   json_text(t->comm), "process", json_text(p->comm));
		set_times(object, r, &t->times);
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *pack_ended(const struct report *r, size_t limit)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->ended_count && i < limit; i++) {
		const struct report_ended *e = &r->ended[i];

		json_array_append_new(list, json_pack("{so so so so}", "comm", json_text(e->comm), "processes",
						      whole(e->count), "running_ms", ms(e->running), "mean_life_ms",
						      ms(e->lifetime / e->count)));
	}
	return list;
}

static json_t *pack_functions(const struct report *r, const struct report_function *functions, size_t count,
			      size_t limit)
{
	static const char *const kinds[CODE_KINDS] = {"kernel", "elf", "vdso", "jit", "python", "unknown"};
	json_t *list = json_array();

	for (size_t i = 0; i < count && i < limit; i++) {
		const struct report_function *f = &functions[i];

		json_array_append_new(list, json_pack(
			"{so so ss sb so so so so so}", "name", json_text(f->name), "module", json_text(f->module), "kind",
			kinds[f->kind], "inlined", f->inlined, "self_percent", percent(f->self, r->sampled_ns), "self_ms",
			ms(f->self), "total_percent", percent(f->total, r->sampled_ns), "total_ms", ms(f->total),
			"samples", whole(f->samples)));
	}
	return list;
}

static json_t *pack_held(const struct report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->held_count; i++)
		json_array_append_new(list, json_pack("{so sf sf}", "what", json_text(r->held[i].name), "least", r->held[i].least,
						      "part", r->held[i].part));
	return list;
}

static json_t *pack_cost(const struct report *r)
{
	const struct report_cost *c = &r->cost;
	json_t *lost = json_object();
	uint64_t sum = 0;

	for (int i = 0; i < LOSSES; i++) {
		json_object_set_new(lost, report_loss_names[i], whole(c->lost[i]));
		sum += c->lost[i];
	}
	return json_pack("{sf sf sf sf sf sf so so so}", "cpu_percent", c->cpu_percent + c->bpf_percent,
			 "process_percent", c->cpu_percent, "bpf_percent", c->bpf_percent,
			 "asked_percent", c->asked_percent, "memory_bytes", c->memory, "kernel_memory_bytes", c->kernel_memory, "lost_events", whole(sum), "lost", lost, "held_back", pack_held(r));
}

static json_t *pack_recording(const struct report *r)
{
	return json_pack("{sf sb sb so so so so sf}", "duration_s", (double)r->recording_ns / 1e9, "complete", r->complete, "redacted", r->redacted,
			 "sampled_by", json_text(r->sampled_by), "frequency_hz", whole(r->frequency), "pid",
			 r->filter_pid ? whole(r->filter_pid) : json_null(), "cgroup", text_or_null(r->filter_cgroup),
			 "from_s", (double)r->from_ns / 1e9);
}

static json_t *pack_head(const struct report *r)
{
	char when[21];

	clock_format_utc(r->start_wall_ns, when);
	return json_pack("{ss so so so ss sf so so so sf sf sf so so so}", "schema", "perfscope.report/1", "host",
			 json_text(r->host), "kernel", json_text(r->kernel), "machine", json_text(r->machine), "start", when,
			 "duration_s", (double)r->ns / 1e9, "recording", pack_recording(r), "cpus", whole(r->cpus),
			 "memory_bytes", whole(r->memory_bytes), "busy_percent", r->busy, "load", r->load, "load_max",
			 r->load_max, "samples", whole(r->samples), "sampled_ms", ms(r->sampled_ns), "runqueue",
			 pack_latency(&r->latency));
}

static json_t *pack_gaps(const struct report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->gap_count; i++)
		json_array_append_new(list, json_pack("{so so}", "probe", json_text(r->gaps[i].probe), "reason",
						      json_text(r->gaps[i].reason)));
	return list;
}

void report_json(const struct report_parts *parts, size_t limit, struct buf *out)
{
	const struct report *r = parts->report;
	_cleanup_free_ struct report_function *by_total = NULL;
	json_t *root = pack_head(r), *cpus = json_array();
	size_t count;

	for (size_t i = 0; i < r->cpu_count; i++)
		json_array_append_new(cpus, pack_cpu(&r->cpu[i]));
	by_total = report_by_total(r, limit, &count);
	json_object_set_new(root, "cpu", cpus);
	json_object_set_new(root, "resources", saturation_json(parts->saturation));
	json_object_set_new(root, "processes", pack_processes(r, limit));
	json_object_set_new(root, "threads", pack_threads(r, limit));
	json_object_set_new(root, "ended", pack_ended(r, limit));
	json_object_set_new(root, "functions", pack_functions(r, r->functions, r->function_count, limit));
	json_object_set_new(root, "functions_by_total", pack_functions(r, by_total, count, limit));
	json_object_set_new(root, "waits", waits_json(parts->explained, limit));
	json_object_set_new(root, "knots", knots_json(parts->explained, limit));
	json_object_set_new(root, "overhead", pack_cost(r));
	json_object_set_new(root, "unavailable", pack_gaps(r));
	json_object_set_new(root, "findings", findings_json(parts->findings));
	char *dumped = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	buf_addf(out, "%s\n", dumped);
	free(dumped);
	json_decref(root);
}
