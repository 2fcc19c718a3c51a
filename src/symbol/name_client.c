// SPDX-License-Identifier: BSD-2-Clause
#include "name_client.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "escape.h"
#include "mem.h"
#include "protocol.h"
#include "wait_loops.h"
#include "worker.h"

#define QUEUE_MAX (1u << 18)
#define BATCH (PACKET_MAX / 2)        /* questions sent at once, in bytes */
#define GATHERED_MAX 256u             /* questions that wait to be sent */
#define HANG_NS (30 * NS_PER_S)       /* no sign of life for so long, although something is due */
#define CHILD_MEMORY (64ull << 20)    /* beyond it the next idle moment brings a fresh child */
#define CHILD_MEMORY_LINES (256ull << 20) /* the same when it reads debug info, too */
#define PACKETS_A_TURN 64             /* the capture has other things to do, too */
#define CHILD_MODULES 4096            /* each holds a descriptor or a mapping */

_Static_assert((int)SYMBOL_CODE_MAX <= (int)CODE_MAX && CODE_MAX + sizeof(struct record_code_answer) <= PACKET_MAX,
	       "an answer with code fits into a packet");

struct question {
	uint64_t offset;
	uint32_t module;
	uint32_t frame;     /* or the function whose code it is */
	uint32_t code_size; /* 0: a name is asked for */
	bool hopeless; /* not sent: to be answered without a name */
	uint8_t tries;
	void *generated; /* code that is looked at itself, of `code_size` bytes; `offset` is the place in question */
	uint64_t generated_start;
};

struct name_client {
	const struct symbolizer_options *options;
	struct symbolizer_stats *stats;
	struct modules *modules;
	/* These count up for ever: answered <= sent <= asked; a question is at its number modulo
	 * queue_size. */
	struct question *queue;
	size_t queue_size; /* a power of two */
	uint64_t answered, sent, asked;
	struct worker worker;
	uint32_t modules_with_child;
	uint64_t forgot_ns; /* those that nobody asks about, last */
	uint64_t now_ns; /* of this turn */
	struct buf text; /* of the answer that is being handed over */
};

static void disconnect(struct name_client *c)
{
	worker_stop(&c->worker);
	modules_lost(c->modules);
	c->stats->child_pid = 0;
}

static void connect_child(struct name_client *c)
{
	if (worker_start(&c->worker))
		c->modules_with_child = 0;
}

/* What was sent and not answered is sent again, except about the module that it died over twice. */
static void child_lost(struct name_client *c)
{
	struct module *module = modules_get(c->modules, worker_module(&c->worker));

	disconnect(c);
	c->stats->restarts++;
	if (module && module->strikes < STRIKES_MAX && ++module->strikes == STRIKES_MAX)
		c->stats->poisoned++;
	c->sent = c->answered;
	connect_child(c);
}

static struct question *question_at(struct name_client *c, uint64_t number)
{
	return &c->queue[number & (c->queue_size - 1)];
}

/* If that is known: as it was when the file was read before, or as the kernel says. */
static void expect_build_id(const struct module *module, struct record_module *record)
{
	bool was_read = module->build_id_len;

	record->build_id_len = (uint8_t)(was_read ? module->build_id_len : module->mapping.build_id_len);
	memcpy(record->build_id, was_read ? module->build_id : module->mapping.build_id, sizeof(record->build_id));
}

/* True if the child has the module, or will by this packet. */
static bool provide_module(struct name_client *c, uint32_t id, struct module *module)
{
	struct record_module record = {
		.head = {RECORD_MODULE, sizeof(record)}, .module = id,
		.kind = (uint8_t)module->kind, .source_lines = c->options->source_lines,
		.inlined = c->options->inlined};

	if (module->with_child)
		return true;
	int fd = modules_take_fd(c->modules, module);
	if (fd < 0)
		return false;
	expect_build_id(module, &record);
	buf_add(&c->worker.out.data, &record, sizeof(record));
	c->worker.out.fds[c->worker.out.fd_count++] = fd;
	module->with_child = true;
	c->modules_with_child++;
	return true;
}

static void add_question(struct name_client *c, const struct question *q)
{
	struct record_resolve resolve = {
		.head = {RECORD_RESOLVE, sizeof(resolve)}, .module = q->module,
		.sequence = (uint32_t)c->sent, .offset = q->offset};
	struct record_code code = {
		.head = {RECORD_CODE, sizeof(code)}, .module = q->module,
		.sequence = (uint32_t)c->sent, .offset = q->offset, .size = q->code_size};

	if (q->code_size)
		buf_add(&c->worker.out.data, &code, sizeof(code));
	else
		buf_add(&c->worker.out.data, &resolve, sizeof(resolve));
}

#define GENERATED_TRIES 2 /* a child that dies over it twice will do so again */

static void add_generated(struct name_client *c, const struct question *q)
{
	struct record_generated record = {
		.head = {RECORD_GENERATED, (uint32_t)(sizeof(record) + record_padded(q->code_size))}, .module = NO_MODULE,
		.sequence = (uint32_t)c->sent, .start = q->generated_start, .at = q->offset, .size = q->code_size};

	buf_add(&c->worker.out.data, &record, sizeof(record));
	buf_add(&c->worker.out.data, q->generated, q->code_size);
	record_pad(&c->worker.out.data, q->code_size);
}

/* One of these may be about a process that is gone, through which its file cannot be opened again. */
static void keep_asked(struct name_client *c)
{
	for (uint64_t i = c->answered; i < c->asked; i++) {
		struct module *module = modules_get(c->modules, question_at(c, i)->module);

		if (module)
			module->asked_ns = c->now_ns;
	}
}

/* Of the programs that came by in an hour most are gone. But the kernel's names take long to read. */
static void forget_unasked(struct name_client *c)
{
	struct record_forget_module record = {.head = {RECORD_FORGET_MODULE, sizeof(record)}};
	uint64_t unused = c->options->unused_ns;
	struct module *module;
	size_t cursor = 0;
	uint32_t id;

	if (c->now_ns < c->forgot_ns + unused / 4)
		return;
	c->forgot_ns = c->now_ns;
	keep_asked(c);
	while (c->worker.out.data.len < BATCH && (module = modules_next(c->modules, &cursor, &id))) {
		if (!module->with_child || module->kind == MODULE_KERNEL || c->now_ns < module->asked_ns + unused)
			continue;
		record.module = id;
		buf_add(&c->worker.out.data, &record, sizeof(record));
		module->with_child = false;
		c->modules_with_child--;
		c->stats->forgotten++;
	}
}

static void ask_about_module(struct name_client *c, struct question *q)
{
	struct module *module = modules_get(c->modules, q->module);

	q->hopeless = !module_usable(module) || !provide_module(c, q->module, module);
	if (q->hopeless)
		return;
	module->asked_ns = c->now_ns;
	add_question(c, q);
}

static void ask_about_generated(struct name_client *c, struct question *q)
{
	q->hopeless = q->tries++ == GENERATED_TRIES;
	if (!q->hopeless)
		add_generated(c, q);
}

static void fill_packet(struct name_client *c)
{
	forget_unasked(c);
	while (c->sent < c->asked && c->worker.out.data.len < BATCH &&
	       c->worker.out.fd_count < PACKET_FDS) {
		struct question *q = question_at(c, c->sent);

		if (q->generated)
			ask_about_generated(c, q);
		else
			ask_about_module(c, q);
		c->sent++;
	}
}

static void send_questions(struct name_client *c)
{
	int r = 0;

	c->now_ns = clock_mono_ns();
	while (c->worker.socket >= 0 && r == 0) {
		if (!c->worker.out.data.len)
			fill_packet(c);
		if (!c->worker.out.data.len)
			break;
		r = worker_send(&c->worker);
	}
	worker_poll_writable(&c->worker, c->worker.out.data.len || c->sent < c->asked);
}

static void answer(struct name_client *c, const struct symbol *symbols, size_t count)
{
	uint32_t frame = question_at(c, c->answered)->frame;

	c->answered++;
	if (count)
		c->stats->named++;
	else
		c->stats->unnamed++;
	c->options->handler(c->options->arg, frame, symbols, count);
}

static void answer_code(struct name_client *c, const void *bytes, size_t len)
{
	struct question *q = question_at(c, c->answered);
	uint32_t function = q->frame;

	free(q->generated);
	q->generated = NULL;
	c->answered++;
	c->options->code(c->options->arg, function, bytes, len);
}

static void answer_hopeless(struct name_client *c)
{
	if (c->worker.broken)
		for (; c->sent < c->asked; c->sent++)
			question_at(c, c->sent)->hopeless = true;
	while (c->answered < c->sent && question_at(c, c->answered)->hopeless) {
		if (question_at(c, c->answered)->code_size)
			answer_code(c, NULL, 0);
		else
			answer(c, NULL, 0);
	}
}

/* The text goes into c->text, which moves while it grows: offsets first, pointers later. */
static size_t keep_text(struct name_client *c, const char *text, size_t len)
{
	size_t at = c->text.len;
	const char *nul = memchr(text, 0, len);

	escape_utf8(&c->text, text, nul ? (size_t)(nul - text) : len);
	buf_addch(&c->text, 0);
	return at;
}

static bool decode_symbols(struct name_client *c, const struct record_answer *r,
			   struct symbol *symbols)
{
	const char *p = (const char *)(r + 1), *end = (const char *)r + r->head.size;
	size_t names[ANSWER_SYMBOLS], files[ANSWER_SYMBOLS];

	buf_reset(&c->text);
	for (uint32_t i = 0; i < r->count; i++) {
		struct answer_symbol a;

		if ((size_t)(end - p) < sizeof(a))
			return false;
		memcpy(&a, p, sizeof(a));
		p += sizeof(a);
		size_t text = record_padded((size_t)a.name_len + a.file_len);
		if ((size_t)(end - p) < text)
			return false;
		names[i] = keep_text(c, p, a.name_len);
		files[i] = a.file_len ? keep_text(c, p + a.name_len, a.file_len) : SIZE_MAX;
		symbols[i] = (struct symbol){
			.line = a.line, .start = a.start, .size = a.size, .inlined = a.inlined};
		p += text;
	}
	for (uint32_t i = 0; i < r->count; i++) {
		symbols[i].name = c->text.data + names[i];
		symbols[i].file = files[i] == SIZE_MAX ? NULL : c->text.data + files[i];
	}
	return true;
}

static bool on_hello(void *arg, const struct record *record)
{
	struct name_client *c = arg;

	c->stats->child_pid = (pid_t)((const struct record_hello *)(const void *)record)->pid;
	return true;
}

static bool on_module_info(void *arg, const struct record *record)
{
	struct name_client *c = arg;
	const struct record_module_info *r = (const void *)record;
	struct module *module = modules_get(c->modules, r->module);

	if (!module || r->build_id_len > BUILD_ID_MAX)
		return false;
	if (!r->build_id_len) /* none, or a file that is refused: the next must still be the one that was read before */
		return true;
	module->build_id_len = r->build_id_len;
	memcpy(module->build_id, r->build_id, r->build_id_len);
	return true;
}

/* The question that is answered now; NULL: it was another, or of the other sort. */
static const struct question *answered_question(struct name_client *c, uint32_t sequence, bool code)
{
	answer_hopeless(c);
	if (c->answered == c->sent || sequence != (uint32_t)c->answered)
		return NULL;
	const struct question *q = question_at(c, c->answered);
	return code == (q->code_size > 0) ? q : NULL;
}

static bool on_answer(void *arg, const struct record *record)
{
	struct name_client *c = arg;
	const struct record_answer *r = (const void *)record;
	struct symbol symbols[ANSWER_SYMBOLS];

	if (!answered_question(c, r->sequence, false) || r->count > ANSWER_SYMBOLS ||
	    !decode_symbols(c, r, symbols))
		return false;
	answer(c, symbols, r->count);
	return true;
}

static bool on_callees(void *arg, const struct record *record)
{
	struct name_client *c = arg;
	const struct record_answer *r = (const void *)record;
	const struct question *q = answered_question(c, r->sequence, true);
	struct symbol symbols[ANSWER_SYMBOLS];

	if (!q || r->count > ANSWER_SYMBOLS || !decode_symbols(c, r, symbols))
		return false;
	c->options->code_callees(c->options->arg, q->frame, symbols, r->count);
	return true;
}

static bool on_wait_loops(void *arg, const struct record *record)
{
	struct name_client *c = arg;
	const struct record_wait_loops *r = (const void *)record;
	const struct question *q = answered_question(c, r->sequence, true);

	if (!q || r->count > WAIT_LOOPS_MOST || r->head.size != sizeof(*r) + r->count * sizeof(struct wait_loop))
		return false;
	if (c->options->wait_loops)
		c->options->wait_loops(c->options->arg, q->frame, (const struct wait_loop *)(const void *)(r + 1), r->count);
	return true;
}

static bool on_code_answer(void *arg, const struct record *record)
{
	struct name_client *c = arg;
	const struct record_code_answer *r = (const void *)record;
	const struct question *q = answered_question(c, r->sequence, true);

	if (!q || r->len > r->head.size - sizeof(*r) || (r->len && r->len != q->code_size))
		return false;
	answer_code(c, r + 1, r->len);
	return true;
}

static bool on_usage(void *arg, const struct record *record)
{
	struct name_client *c = arg;

	c->stats->child_bytes = ((const struct record_usage *)(const void *)record)->bytes;
	return true;
}

static bool handle_packet(struct name_client *c)
{
	static worker_record *const handlers[RECORD_TYPES] = {
		[RECORD_HELLO] = on_hello,
		[RECORD_MODULE_INFO] = on_module_info,
		[RECORD_ANSWER] = on_answer,
		[RECORD_USAGE] = on_usage,
		[RECORD_CALLEES] = on_callees,
		[RECORD_WAIT_LOOPS] = on_wait_loops,
		[RECORD_CODE_ANSWER] = on_code_answer,
	};

	return worker_take(&c->worker, handlers, c);
}

static void receive_answers(struct name_client *c)
{
	for (int i = 0; i < PACKETS_A_TURN && c->worker.socket >= 0; i++) {
		int r = worker_receive(&c->worker);

		if (r == -EAGAIN)
			return;
		if (r < 0 || !handle_packet(c))
			child_lost(c);
	}
}

static int open_wanted(void *arg, const struct file_wanted *wanted, const char *name,
		       struct buf *note)
{
	struct name_client *c = arg;
	const struct module *module = modules_get(c->modules, wanted->module);

	return module ? module_open_wanted(module, wanted->kind, name, wanted->len) : -ENOENT;
}

/* A child that has grown too large is replaced while nothing is due; modules go to the new one as
 * they are asked for. */
static void keep_child_small(struct name_client *c)
{
	if (c->worker.socket < 0 || name_client_due(c))
		return;
	bool lines = c->options->source_lines || c->options->inlined;
	if (c->stats->child_bytes > (lines ? CHILD_MEMORY_LINES : CHILD_MEMORY) ||
	    c->modules_with_child > CHILD_MODULES) {
		disconnect(c);
		c->stats->child_bytes = 0;
	}
}

void name_client_use_modules(struct name_client *c)
{
	for (uint64_t i = c->answered; i < c->asked; i++)
		modules_use(c->modules, question_at(c, i)->module);
}

bool name_client_due(const struct name_client *c)
{
	return c->answered != c->asked;
}

void name_client_dispatch(struct name_client *c, const struct epoll_event *events, int count)
{
	worker_look(&c->worker, events, count);
	if (worker_serve_files(&c->worker, open_wanted, c) < 0)
		child_lost(c);
	receive_answers(c);
	if (name_client_due(c)) {
		if (c->worker.socket >= 0 && clock_mono_ns() - c->worker.heard_ns > HANG_NS)
			child_lost(c);
		connect_child(c);
	}
	send_questions(c);
	answer_hopeless(c);
	keep_child_small(c);
}

/* Names of a program's functions are not needed before the slice ends; others tell how the next sample is taken or seen. */
static bool can_wait(const struct name_client *c, const struct question *q)
{
	const struct module *m = q->generated ? NULL : modules_get(c->modules, q->module);

	return c->options->gathers && m && m->kind == MODULE_ELF && c->asked - c->sent < GATHERED_MAX;
}

void name_client_send(struct name_client *c)
{
	if (c->sent == c->asked)
		return;
	send_questions(c);
	answer_hopeless(c);
}

static int enqueue(struct name_client *c, const struct question *q)
{
	if (c->asked - c->answered == QUEUE_MAX)
		return -EAGAIN;
	if (c->asked - c->answered == c->queue_size) {
		struct question *larger = xmalloc(2 * c->queue_size * sizeof(*larger));

		for (uint64_t i = c->answered; i < c->asked; i++)
			larger[i & (2 * c->queue_size - 1)] = *question_at(c, i);
		free(c->queue);
		c->queue = larger;
		c->queue_size *= 2;
	}
	if (c->asked == c->answered)
		c->worker.heard_ns = clock_mono_ns();
	*question_at(c, c->asked++) = *q;
	c->stats->requests++;
	connect_child(c);
	if (!can_wait(c, q))
		worker_poll_writable(&c->worker, true);
	return 0;
}

int name_client_ask(struct name_client *c, int module, uint64_t offset, uint32_t frame)
{
	if (module < 0 || !modules_get(c->modules, (uint32_t)module))
		return -ENOENT;
	return enqueue(c, &(struct question){.offset = offset, .module = (uint32_t)module, .frame = frame});
}

int name_client_ask_code(struct name_client *c, int module, uint64_t offset, uint64_t size, uint32_t function)
{
	const struct module *m = module < 0 ? NULL : modules_get(c->modules, (uint32_t)module);

	if (!m)
		return -ENOENT;
	if (m->kind != MODULE_ELF || !size || size > SYMBOL_CODE_MAX || !c->options->code || !c->options->code_callees)
		return -EINVAL;
	return enqueue(c, &(struct question){.offset = offset, .module = (uint32_t)module, .frame = function,
					     .code_size = (uint32_t)size});
}

int name_client_ask_loops(struct name_client *c, const void *bytes, uint32_t size, uint64_t start, uint64_t at, uint32_t function)
{
	if (!size || size > SYMBOL_GENERATED_MAX || at < start || at - start >= size || !c->options->code)
		return -EINVAL;
	struct question q = {.offset = at, .module = NO_MODULE, .frame = function, .code_size = size,
			     .generated = xmalloc(size), .generated_start = start};
	memcpy(q.generated, bytes, size);
	int r = enqueue(c, &q);
	if (r < 0)
		free(q.generated);
	return r;
}

bool name_client_start(struct name_client *c)
{
	connect_child(c);
	return c->worker.socket >= 0;
}

struct name_client *name_client_new(const struct symbolizer_options *options, struct zygote *zygote, struct modules *modules, int epoll,
				    struct symbolizer_stats *stats)
{
	struct name_client *c = xcalloc(1, sizeof(*c));

	c->options = options;
	c->stats = stats;
	c->modules = modules;
	c->text = (struct buf)BUF_INIT;
	c->queue_size = 1024;
	c->queue = xcalloc(c->queue_size, sizeof(*c->queue));
	worker_init(&c->worker, zygote, CHILD_NAMES, epoll);
	return c;
}

void name_client_free(struct name_client *c)
{
	if (!c)
		return;
	worker_done(&c->worker);
	buf_done(&c->text);
	for (; c->answered < c->asked; c->answered++)
		free(question_at(c, c->answered)->generated);
	free(c->queue);
	free(c);
}
