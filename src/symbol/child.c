// SPDX-License-Identifier: BSD-2-Clause
#include "child.h"

#include <malloc.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "callees.h"
#include "clock.h"
#include "elf_image.h"
#include "file_service.h"
#include "mem.h"
#include "protocol.h"
#include "resolver.h"
#include "wait_loops.h"

/* CPU time for one record. Whatever takes longer is malicious or broken, and the timer's signal
 * ends the child; the parent then knows which module it was. The timer is set again once a second, not for each record. */
#define SECONDS_A_RECORD 10
#define SET_AGAIN_NS NS_PER_S

/* So few surely fit into one record, however long their names are. */
#define CALLEES_A_RECORD 4

#define PACKETS_A_REPORT 16

#define REST_NS (10 * NS_PER_S)

struct module {
	const struct resolver *resolver; /* NULL: not known yet */
	void *state;                     /* NULL: nothing can be named */
};

struct child {
	int socket;
	struct file_service files;
	struct child_progress *progress;
	struct module *modules;
	size_t count, capacity;
	struct packet in, out;
	unsigned packets; /* since it was last said what has been allocated */
	uint64_t rested_ns;
	uint64_t timer_ns; /* when the timer was set */
};

static const struct resolver *const resolvers[MODULE_KINDS] = {
	[MODULE_ELF] = &resolver_elf,
	[MODULE_KERNEL] = &resolver_kernel,
	[MODULE_PERF_MAP] = &resolver_perf_map,
	[MODULE_PYTHON] = &resolver_python,
	[MODULE_MARKS] = &resolver_marks,
};

static void flush(struct child *c)
{
	if (c->out.data.len && packet_send(c->socket, &c->out) < 0)
		_exit(0); /* the parent is gone */
	packet_reset(&c->out);
}

static struct module *module_of(struct child *c, uint32_t id)
{
	while (id >= c->count) {
		GROW(c->modules, c->count, c->capacity);
		c->modules[c->count++] = (struct module){0};
	}
	return &c->modules[id];
}

static void forget(struct module *m)
{
	if (m->state)
		m->resolver->free(m->state);
	m->state = NULL;
}

static void on_module(struct child *c, const struct record *record)
{
	const struct record_module *r = (const void *)record;
	struct module_request request = {
		.record = r, .fd = packet_take_fd(&c->in), .files = &c->files};
	struct module *m = module_of(c, r->module);

	forget(m);
	m->resolver = resolvers[r->kind];
	m->state = m->resolver->load(&request);
	c->packets = 0;
	struct record_module_info info = {
		.head = {RECORD_MODULE_INFO, sizeof(info)}, .module = r->module,
		.build_id_len = request.build_id_len, .symbols = request.symbols};
	memcpy(info.build_id, request.build_id, sizeof(info.build_id));
	buf_add(&c->out.data, &info, sizeof(info));
}

static void on_forget_module(struct child *c, const struct record *record)
{
	forget(module_of(c, ((const struct record_forget_module *)(const void *)record)->module));
}

static void on_resolve(struct child *c, const struct record *record)
{
	const struct record_resolve *r = (const void *)record;
	struct module *m = module_of(c, r->module);
	struct answer answer;

	if (c->out.data.len > PACKET_MAX / 2)
		flush(c);
	answer_begin(&answer, &c->out, RECORD_ANSWER, r->sequence);
	if (m->state)
		m->resolver->resolve(m->state, r->offset, &answer);
	answer_end(&answer);
}

/* Names of what the code calls, so that it can be read elsewhere. */
static void name_callees(struct child *c, const struct module *m, const struct record_code *r, const void *bytes)
{
	_cleanup_free_ uint64_t *targets = NULL;
	size_t count = callees_find(bytes, r->size, r->offset, &targets);

	for (size_t i = 0; i < count;) {
		struct answer answer;

		if (c->out.data.len > PACKET_MAX / 2)
			flush(c);
		answer_begin(&answer, &c->out, RECORD_CALLEES, r->sequence);
		for (size_t end = i + CALLEES_A_RECORD; i < count && i < end; i++) {
			struct found found;

			if (m->resolver->function(m->state, targets[i], &found))
				answer_add(&answer, &found);
		}
		answer_end(&answer);
	}
}

static void add_wait_loops(struct child *c, uint32_t sequence, const struct wait_loop *loops, size_t count)
{
	struct record_wait_loops record = {
		.head = {RECORD_WAIT_LOOPS, (uint32_t)(sizeof(record) + count * sizeof(*loops))},
		.sequence = sequence, .count = (uint32_t)count};

	if (!count)
		return;
	buf_add(&c->out.data, &record, sizeof(record));
	buf_add(&c->out.data, loops, count * sizeof(*loops));
}

static void on_code(struct child *c, const struct record *record)
{
	const struct record_code *r = (const void *)record;
	struct record_code_answer answer = {.head.type = RECORD_CODE_ANSWER, .sequence = r->sequence};
	struct module *m = module_of(c, r->module);
	const void *bytes = m->state && m->resolver->code && r->size <= CODE_MAX ?
		m->resolver->code(m->state, r->offset, r->size) : NULL;
	size_t padded = bytes ? record_padded(r->size) : 0;

	if (bytes) {
		struct wait_loop loops[WAIT_LOOPS_MOST];

		name_callees(c, m, r, bytes);
		add_wait_loops(c, r->sequence, loops, wait_loops_find(bytes, r->size, r->offset, loops));
		answer.len = (uint32_t)r->size;
	}
	answer.head.size = (uint32_t)(sizeof(answer) + padded);
	if (c->out.data.len + answer.head.size > PACKET_MAX / 2)
		flush(c);
	buf_add(&c->out.data, &answer, sizeof(answer));
	buf_add(&c->out.data, bytes, answer.len);
	record_pad(&c->out.data, answer.len);
	if (c->out.data.len > PACKET_MAX / 2)
		flush(c);
}

static void on_generated(struct child *c, const struct record *record)
{
	const struct record_generated *r = (const void *)record;
	struct record_code_answer answer = {.head = {RECORD_CODE_ANSWER, sizeof(answer)}, .sequence = r->sequence};
	struct wait_loop loop;

	if (c->out.data.len > PACKET_MAX / 2)
		flush(c);
	add_wait_loops(c, r->sequence, &loop, wait_loops_around(r + 1, r->size, r->start, r->at, &loop));
	buf_add(&c->out.data, &answer, sizeof(answer));
}

typedef void record_handler(struct child *c, const struct record *record);

static record_handler *const handlers[RECORD_TYPES] = {
	[RECORD_MODULE] = on_module,
	[RECORD_RESOLVE] = on_resolve,
	[RECORD_CODE] = on_code,
	[RECORD_GENERATED] = on_generated,
	[RECORD_FORGET_MODULE] = on_forget_module,
};

static void handle(struct child *c, const struct record *record)
{
	const uint32_t *module = (const void *)(record + 1); /* first in every kind of record */
	struct itimerval timer = {.it_value.tv_sec = SECONDS_A_RECORD};
	uint64_t now = clock_mono_ns();

	c->progress->module = *module;
	if (!c->timer_ns || now > c->timer_ns + SET_AGAIN_NS) {
		setitimer(ITIMER_PROF, &timer, NULL);
		c->timer_ns = now;
	}
	handlers[record->type](c, record);
	c->progress->module = NO_MODULE;
}

/* Files are what takes memory. Finding out looks at all that is free. */
static void report_usage(struct child *c)
{
	if (c->packets++ % PACKETS_A_REPORT)
		return;
	struct mallinfo2 info = mallinfo2();
	struct record_usage usage = {.head = {RECORD_USAGE, sizeof(usage)},
				     .bytes = info.uordblks + info.hblkhd};

	buf_add(&c->out.data, &usage, sizeof(usage));
}

static void rest(struct child *c)
{
	uint64_t now = clock_mono_ns();

	if (now < c->rested_ns + REST_NS)
		return;
	for (size_t i = 0; i < c->count; i++) {
		struct module *m = &c->modules[i];

		if (m->state && m->resolver->rest)
			m->resolver->rest(m->state);
	}
	malloc_trim(0);
	c->rested_ns = clock_mono_ns();
}

void child_run(int socket, int files, struct child_progress *progress)
{
	struct child c = {.socket = socket, .files.socket = files, .progress = progress,
			  .in.data = BUF_INIT, .out.data = BUF_INIT};
	struct record_hello hello = {.head = {RECORD_HELLO, sizeof(hello)}, .pid = getpid()};

	/* Fixed, so that what is freed goes back to the system. */
	mallopt(M_MMAP_THRESHOLD, MALLOC_MAPS);
	buf_add(&c.out.data, &hello, sizeof(hello));
	flush(&c);
	while (packet_receive(socket, &c.in, true) == 0) {
		const struct record *record;
		size_t position = 0;

		while ((record = packet_next(&c.in, &position)))
			if (handlers[record->type])
				handle(&c, record);
		report_usage(&c);
		flush(&c);
		rest(&c);
	}
	_exit(0);
}
