// SPDX-License-Identifier: BSD-2-Clause
#include "recorder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "capabilities.h"
#include "capture.h"
#include "clock.h"
#include "cost.h"
#include "fail.h"
#include "governor.h"
#include "host.h"
#include "kept_files.h"
#include "log.h"
#include "loop.h"
#include "mappings.h"
#include "mem.h"
#include "mounts.h"
#include "namespace.h"
#include "past.h"
#include "sideband.h"
#include "text.h"

/* Who a process is and what a descriptor stands for can be read only as long as it is there; nobody waits for stacks. Slices end
 * between two drains, and stacks are sent in the last one before, so that they are counted in the slice that they are from. */
#define DRAIN_NS (100 * NS_PER_MS)
#define SEND_NS (350 * NS_PER_MS)
#define SEND_KNOWN_NS NS_PER_S /* where all is known that they need */
#define NAMES_WAIT_NS (800 * NS_PER_MS) /* the report is to be there a second after the end */

struct losses {
	uint64_t records, threads, mappings;
};

struct recorder {
	struct recorder_options options;
	struct capture capture;
	struct loop *loop;
	struct host *host;
	struct sideband *sideband;
	struct governor *governor; /* NULL: none */
	struct loop_source *sources[5], *loading;
	uint64_t records, samples, slices;
	uint64_t slice_end_ns; /* when it is due */
	uint64_t sent_ns;      /* copied stacks */
	uint64_t stop_ns;
	struct losses before, at_stop; /* nobody empties the rings while probes are attached and detached: no part of the recording */
	bool begun; /* a transaction is open */
	struct cpus online;
};

/* Whether the process descends from pid (or is it), on a way that does not lead through `without`. */
static bool descends(const struct recorder *r, const struct process *p, uint32_t pid, uint32_t without)
{
	/* A chain of parents is short; a torn one must not make a circle. */
	for (int i = 0; p && p->pid != without && i < 64; i++) {
		if (p->pid == pid)
			return true;
		p = tasks_find_process(r->capture.tasks, p->ppid);
	}
	return false;
}

static bool in_cgroup(const char *path, const char *wanted)
{
	size_t len = strlen(wanted);

	while (len > 1 && wanted[len - 1] == '/')
		len--;
	return is_path_in(path, wanted, len);
}

static bool is_selected(struct recorder *r, const struct process *p)
{
	if (r->options.cgroup && !in_cgroup(tasks_cgroup(r->capture.tasks, p->cgroup), r->options.cgroup))
		return false;
	return !r->options.pid || descends(r, p, r->options.pid, 0);
}

static void mark_process(struct recorder *r, struct thread *thread)
{
	struct process *p = thread->process;
	uint8_t flags = 0;

	/* All that perfscope starts is perfscope, but for the command that is being recorded. */
	if (descends(r, p, (uint32_t)getpid(), (uint32_t)r->options.command)) {
		p->flags |= PROCESS_OWN;
		flags |= TASK_OWN;
	}
	if (r->capture.filter && is_selected(r, p)) {
		p->selected = true;
		flags |= TASK_SELECTED;
	}
	if (thread->slot >= 0 && flags)
		r->capture.task_slots[thread->slot].flags |= flags;
}

static void apply_sideband(struct recorder *r, uint64_t until_ns)
{
	struct sideband_event e;

	while (sideband_next(r->sideband, until_ns, &e)) {
		struct process *p = tasks_find_process(r->capture.tasks, e.pid);

		if (!p)
			continue;
		if (e.kind == SIDEBAND_EXEC) {
			mappings_clear(mappings_own(&p->mappings));
			stacks_forget(r->capture.stacks, p);
			p->mapped = true;
			continue;
		}
		stacks_map(r->capture.stacks, p, &(struct stacks_mapping){
			.start = e.start, .end = e.end, .offset = e.offset, .inode = e.inode,
			.major = e.major, .minor = e.minor, .path = e.path});
	}
}

/* Mappings and execs take their turn between the records by time: an address means what was mapped then. */
static void take_record(void *arg, const struct record *record)
{
	struct recorder *r = arg;

	apply_sideband(r, record->time_ns);
	r->records++;
	r->samples += record->kind == RECORD_SAMPLE;
	host_dispatch(r->host, record);
}

static void empty_rings(struct recorder *r)
{
	sideband_fetch(r->sideband);
	host_consume(r->host);
	apply_sideband(r, UINT64_MAX);
	r->capture.lost_mappings = sideband_lost(r->sideband);
	host_drained(r->host);
}

static int drain(void *arg, uint32_t events)
{
	struct recorder *r = arg;
	uint64_t now;

	empty_rings(r);
	now = clock_mono_ns();
	if (now >= r->sent_ns + (stacks_has_news(r->capture.stacks) ? SEND_NS : SEND_KNOWN_NS) || now + DRAIN_NS > r->slice_end_ns) {
		stacks_send(r->capture.stacks);
		r->sent_ns = now;
	}
	return 0;
}

static int take_names(void *arg, uint32_t events)
{
	struct recorder *r = arg;

	return stacks_dispatch(r->capture.stacks);
}

static int attach_more(void *arg, uint32_t events)
{
	struct recorder *r = arg;

	if (host_attach_more(r->host))
		return 0;
	loop_remove(r->loop, r->loading);
	r->loading = NULL;
	r->capture.kernel_bytes = host_kernel_bytes(r->host);
	capabilities_drop();
	return 0;
}

static struct losses losses(const struct capture *c)
{
	return (struct losses){capture_counter(c, LOST_RECORDS), capture_counter(c, LOST_SLOTS), c->lost_mappings};
}

static void notice_cpus(struct recorder *r)
{
	struct cpus online;

	if (cpus_online(r->capture.files, &online) < 0 || !memcmp(&online, &r->online, sizeof(online)))
		return;
	for (uint32_t cpu = 0; cpu < r->capture.cpu_count; cpu++) {
		bool was = cpus_has(&r->online, cpu), is = cpus_has(&online, cpu);

		if (was == is)
			continue;
		sideband_remove_cpu(r->sideband, (int)cpu);
		if (is)
			sideband_add_cpu(r->sideband, (int)cpu);
		if (!r->options.cpus || cpus_has(r->options.cpus, cpu))
			host_cpu(r->host, (int)cpu, is);
	}
	r->online = r->capture.cpus = online;
	r->capture.online = cpus_count(&online);
	if (r->options.cpus)
		cpus_and(&r->capture.cpus, r->options.cpus);
}

static uint64_t end_slice(struct recorder *r)
{
	uint64_t now;

	empty_rings(r);
	now = clock_mono_ns();
	host_slice(r->host, now);
	return now;
}

static int write_slice(struct recorder *r, uint64_t end_ns)
{
	struct capture *c = &r->capture;

	capture_write(c);
	stacks_forget_files(c->stacks, c->tasks);
	kept_files_tick(c->files, end_ns);
	tasks_write(c->tasks, c->store, c->start_ns);
	store_add_slice(c->store, c->slice, capture_time(c, c->slice_start_ns), capture_time(c, end_ns));
	store_set_int(c->store, "duration_ns", (int64_t)capture_time(c, end_ns));
	r->begun = false;
	return store_commit(c->store);
}

static int slice_timer(void *arg, uint32_t events)
{
	struct recorder *r = arg;
	struct capture *c = &r->capture;
	uint64_t now;
	int error;

	notice_cpus(r);
	now = end_slice(r);
	error = write_slice(r, now);
	if (error < 0)
		return error;
	r->slices++;
	c->slice++;
	c->slice_start_ns = now;
	while (r->slice_end_ns <= now)
		r->slice_end_ns += r->options.slice_ns;
	if (r->options.slice)
		r->options.slice(r->options.arg);
	error = store_begin(c->store);
	r->begun = error == 0;
	return error;
}

static uint32_t count_threads(void)
{
	unsigned int running, threads = 0;
	_cleanup_fclose_ FILE *f = fopen("/proc/loadavg", "re");

	if (f && fscanf(f, "%*f %*f %*f %u/%u", &running, &threads) == 2)
		return threads;
	return 1000;
}

static void write_meta(struct recorder *r)
{
	struct store *s = r->capture.store;
	struct utsname u;

	uname(&u);
	store_set_text(s, "host", u.nodename);
	store_set_text(s, "kernel", u.release);
	store_set_text(s, "machine", u.machine);
	store_set_text(s, "invocation", r->options.invocation);
	store_set_text(s, "sampled_by", r->capture.frequency_source ? r->capture.frequency_source : "nothing");
	store_set_int(s, "cpus", r->capture.online);
	store_set_int(s, "frequency", (int64_t)r->options.frequency);
	store_set_int(s, "slice_ns", (int64_t)r->options.slice_ns);
	store_set_int(s, "start_wall_ns", (int64_t)(clock_wall_ns() - (clock_mono_ns() - r->capture.start_ns)));
	store_set_int(s, "start_mono_ns", (int64_t)r->capture.start_ns);
	store_set_int(s, "memory_bytes", (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
	if (r->options.pid)
		store_set_int(s, "filter_pid", r->options.pid);
	if (r->options.cgroup)
		store_set_text(s, "filter_cgroup", r->options.cgroup);
}

static int add_sources(struct recorder *r)
{
	struct loop_source **source = r->sources;
	uint64_t slice = r->options.slice_ns, first = r->options.first_slice_ns;
	int error;

	if ((error = loop_add_fd(r->loop, host_fd(r->host), EPOLLIN, drain, r, source++)) < 0 ||
	    (error = loop_add_fd(r->loop, sideband_fd(r->sideband), EPOLLIN, drain, r, source++)) < 0 ||
	    (error = loop_add_fd(r->loop, stacks_fd(r->capture.stacks), EPOLLIN, take_names, r, source++)) < 0 ||
	    (error = loop_add_timer(r->loop, DRAIN_NS / 2, DRAIN_NS, drain, r, source++)) < 0 ||
	    (error = loop_add_timer(r->loop, first ? first : slice, slice, slice_timer, r, source++)) < 0)
		return fail(error, "watch for events");
	if (host_loading_fd(r->host) >= 0 &&
	    (error = loop_add_fd(r->loop, host_loading_fd(r->host), EPOLLIN, attach_more, r, &r->loading)) < 0)
		return fail(error, "watch for what is being loaded");
	r->slice_end_ns = clock_mono_ns() + (first ? first : slice);
	return 0;
}

static int open_sideband(struct recorder *r)
{
	int error = sideband_new(r->capture.cpu_count, &r->sideband);

	for (uint32_t cpu = 0; error >= 0 && cpu < r->capture.cpu_count; cpu++)
		if (cpus_has(&r->online, cpu))
			error = sideband_add_cpu(r->sideband, (int)cpu);
	return error;
}

static int prepare(struct recorder *r)
{
	struct capture *c = &r->capture;
	int error;

	if ((error = cpus_possible_count(&c->cpu_count)) < 0 || (error = cpus_online(c->files, &r->online)) < 0)
		return error;
	c->past = past_new(c->cpu_count);
	c->events = r->options.events;
	c->cpus = r->online;
	c->online = cpus_count(&r->online);
	if (r->options.cpus)
		cpus_and(&c->cpus, r->options.cpus);
	if (cpus_first(&c->cpus) < 0)
		return failx(-EINVAL, "none of the CPUs asked for is online");
	if ((error = stacks_new(c->store, &(struct stacks_options){.inlined = r->options.inlined, .arg = c}, &c->stacks)) < 0 ||
	    (error = open_sideband(r)) < 0)
		return error;
	error = host_new(c, &(struct host_options){.threads = count_threads(), .filter = c->filter,
						   .stack_bytes = r->options.stack_bytes,
						   .include_own = r->options.include_own,
						   .in_parts = r->options.in_parts,
						   .on_demand = r->options.on_demand}, take_record, r, &r->host);
	if (error >= 0)
		stacks_set_python(c->stacks, host_python_fd(r->host));
	return error;
}

/* Processes that were there before: what they are is read now, while they live. */
static int survey(struct recorder *r)
{
	struct capture *c = &r->capture;
	uint64_t found = 0;

	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		struct thread *thread = tasks_get(c->tasks, i);

		mark_process(r, thread);
		found += thread->process->selected;
		stacks_read_mappings(c->stacks, thread->process);
	}
	if (!c->filter || found)
		return 0;
	if (r->options.pid)
		return failx(-ESRCH, "there is no process %u", r->options.pid);
	return failx(-ESRCH, "there is no process in cgroup %s", r->options.cgroup);
}

/* The kernel tells of processes by its own numbers, and /proc by those of the namespace. */
static void note_namespace(const struct recorder *r)
{
	static const char words[] = "in a container's PID namespace processes have other numbers than for the kernel, so that names lack "
				    "or are another's: record on the host, or in a container with --pid=host";

	if (is_first_pid_namespace() != 0)
		return;
	log_warning("%s", words);
	store_add_unavailable(r->capture.store, "names", words);
}

static int begin(struct recorder *r)
{
	struct capture *c = &r->capture;
	int error;

	c->slice = 1;
	error = host_attach(r->host);
	if (error < 0)
		return fail_in(error, "no probe works here (perfscope doctor tells more)");
	if ((error = store_begin(c->store)) < 0)
		return error;
	r->begun = true;
	/* Threads that switched before the walk came to them are announced in the ring. */
	empty_rings(r);
	error = survey(r);
	if (error < 0)
		return error;
	empty_rings(r);
	r->before = losses(c);
	c->start_ns = c->slice_start_ns = clock_mono_ns();
	host_start(r->host);
	c->kernel_bytes = host_kernel_bytes(r->host);
	host_write_metrics(r->host);
	write_meta(r);
	note_namespace(r);
	if (r->options.most_overhead > 0) {
		error = governor_new(c, r->host, r->loop, r->options.most_overhead, &r->governor);
		c->governor = r->governor;
		if (error < 0)
			return fail(error, "watch for what it costs");
	}
	return add_sources(r);
}

static int tell_rights(int error)
{
	if ((error != -EPERM && error != -EACCES) || !geteuid()) /* what root lacks is something else */
		return error;
	return fail_in(error, "recording needs root, or CAP_BPF and CAP_PERFMON ('perfscope doctor' says what is missing)");
}

/* Programs, maps, links and, for each CPU, events: a process may have 1,024 files as a rule, which many CPUs need. */
static void may_open_many(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit.rlim_max, limit.rlim_max});
}

int recorder_new(struct store *s, struct loop *l, const struct recorder_options *o, struct recorder **ret_recorder)
{
	struct recorder *r = xcalloc(1, sizeof(*r));
	int error;

	r->options = *o;
	r->loop = l;
	r->capture.store = s;
	r->capture.tasks = tasks_new();
	r->capture.mounts = mounts_new();
	r->capture.files = kept_files_new();
	r->capture.frequency = o->frequency;
	r->capture.filter = o->pid || o->cgroup;
	capture_init(&r->capture);
	may_open_many();
	if ((error = prepare(r)) < 0 || (error = begin(r)) < 0) {
		recorder_free(r);
		return tell_rights(error);
	}
	if (!r->loading)
		capabilities_drop();
	*ret_recorder = r;
	return 0;
}

static void remove_sources(struct recorder *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->sources); i++)
		loop_remove(r->loop, r->sources[i]);
	loop_remove(r->loop, r->loading);
}

int recorder_stop(struct recorder *r)
{
	if (r->stop_ns)
		return 0;
	remove_sources(r);
	r->stop_ns = r->begun ? end_slice(r) : clock_mono_ns();
	r->at_stop = losses(&r->capture);
	governor_free(r->governor);
	r->capture.governor = r->governor = NULL;
	host_detach(r->host);
	if (!r->begun)
		return 0;
	/* Stacks and names that are still being looked up belong to this slice. */
	stacks_finish(r->capture.stacks, NAMES_WAIT_NS);
	return write_slice(r, r->stop_ns);
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	if (!r->stop_ns)
		remove_sources(r);
	if (r->begun)
		store_commit(r->capture.store);
	governor_free(r->governor);
	host_free(r->host);
	sideband_free(r->sideband);
	tasks_free(r->capture.tasks); /* before stacks: freed mappings are forgotten there */
	mounts_free(r->capture.mounts);
	kept_files_free(r->capture.files);
	stacks_free(r->capture.stacks);
	capture_done(&r->capture);
	free(r);
}

struct recorder_stats recorder_stats(const struct recorder *r)
{
	const struct capture *c = &r->capture;
	struct recorder_stats s = {.slices = r->slices, .records = r->records, .samples = r->samples,
				   .cpu_ns = clock_cpu_ns(), .kernel_bytes = c->kernel_bytes, .unnamed = stacks_unnamed(c->stacks)};
	struct losses lost = r->stop_ns ? r->at_stop : losses(c);
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		s.memory_bytes = (uint64_t)usage.ru_maxrss * 1024;
	s.lost_records = lost.records - r->before.records;
	s.lost_threads = lost.threads - r->before.threads;
	s.lost_mappings = lost.mappings - r->before.mappings;
	return s;
}

static struct recorder_cost recorder_cost_of(const char *name, struct cost sum)
{
	return (struct recorder_cost){.name = name, .runs = sum.runs, .timed_runs = sum.timed_runs, .ns = sum.timed_ns};
}

bool recorder_cost(const struct recorder *r, unsigned i, struct recorder_cost *ret_cost)
{
	const struct capture *c = &r->capture;

	if (i > COST_COUNT)
		return false;
	if (i == COST_COUNT)
		*ret_cost = (struct recorder_cost){.name = "perfscope's own processes", .ns = cost_own_ns(c)};
	else
		*ret_cost = recorder_cost_of(cost_name((enum cost_of)i), cost_bpf_sum(c, (enum cost_of)i));
	return true;
}

unsigned recorder_cost_period(void)
{
	return COST_PERIOD;
}

uint64_t recorder_elapsed_ns(const struct recorder *r)
{
	return (r->stop_ns ? r->stop_ns : clock_mono_ns()) - r->capture.start_ns;
}

const char *recorder_unavailable(const struct recorder *r, uint32_t i, const char **ret_reason)
{
	return host_unavailable(r->host, i, ret_reason);
}
