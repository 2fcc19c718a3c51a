// SPDX-License-Identifier: BSD-2-Clause
#include "symbolizer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "escape.h"
#include "fail.h"
#include "mem.h"
#include "modules.h"
#include "protocol.h"
#include "unwind_client.h"
#include "wait_loops.h"
#include "worker.h"
#include "zygote.h"

#define QUEUE_MAX (1u << 18)
#define BATCH (PACKET_MAX / 2)        /* questions sent at once, in bytes */
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

struct symbolizer {
	struct symbolizer_options options;
	struct symbolizer_stats stats;
	struct zygote zygote;
	struct modules *modules;
	/* These count up for ever: answered <= sent <= asked; a question is at its number modulo
	 * queue_size. */
	struct question *queue;
	size_t queue_size; /* a power of two */
	uint64_t answered, sent, asked;
	struct worker worker;
	uint32_t modules_sent;
	struct unwind_client *unwind;
	int epoll, timer;
	bool timer_runs;
	struct buf text; /* of the answer that is being handed over */
};

static void disconnect(struct symbolizer *s)
{
	worker_stop(&s->worker);
	modules_lost(s->modules);
	s->stats.child_pid = 0;
}

static void connect_child(struct symbolizer *s)
{
	if (worker_start(&s->worker))
		s->modules_sent = 0;
}

/* What was sent and not answered is sent again, except about the module that it died over twice. */
static void child_lost(struct symbolizer *s)
{
	struct module *module = modules_get(s->modules, worker_module(&s->worker));

	disconnect(s);
	s->stats.restarts++;
	if (module && module->strikes < STRIKES_MAX && ++module->strikes == STRIKES_MAX)
		s->stats.poisoned++;
	s->sent = s->answered;
	connect_child(s);
}

static struct question *question_at(struct symbolizer *s, uint64_t number)
{
	return &s->queue[number & (s->queue_size - 1)];
}

/* True if the child has the module, or will by this packet. */
static bool provide_module(struct symbolizer *s, uint32_t id, struct module *module)
{
	struct record_module record = {
		.head = {RECORD_MODULE, sizeof(record)}, .module = id,
		.kind = (uint8_t)module->kind, .source_lines = s->options.source_lines,
		.inlined = s->options.inlined,
		.build_id_len = (uint8_t)module->mapping.build_id_len};

	if (module->with_child)
		return true;
	int fd = modules_take_fd(s->modules, module);
	if (fd < 0)
		return false;
	memcpy(record.build_id, module->mapping.build_id, sizeof(record.build_id));
	buf_add(&s->worker.out.data, &record, sizeof(record));
	s->worker.out.fds[s->worker.out.fd_count++] = fd;
	module->with_child = true;
	s->modules_sent++;
	return true;
}

static void add_question(struct symbolizer *s, const struct question *q)
{
	struct record_resolve resolve = {
		.head = {RECORD_RESOLVE, sizeof(resolve)}, .module = q->module,
		.sequence = (uint32_t)s->sent, .offset = q->offset};
	struct record_code code = {
		.head = {RECORD_CODE, sizeof(code)}, .module = q->module,
		.sequence = (uint32_t)s->sent, .offset = q->offset, .size = q->code_size};

	if (q->code_size)
		buf_add(&s->worker.out.data, &code, sizeof(code));
	else
		buf_add(&s->worker.out.data, &resolve, sizeof(resolve));
}

#define GENERATED_TRIES 2 /* a child that dies over it twice will do so again */

static void add_generated(struct symbolizer *s, const struct question *q)
{
	struct record_generated record = {
		.head = {RECORD_GENERATED, (uint32_t)(sizeof(record) + record_padded(q->code_size))}, .module = NO_MODULE,
		.sequence = (uint32_t)s->sent, .start = q->generated_start, .at = q->offset, .size = q->code_size};

	buf_add(&s->worker.out.data, &record, sizeof(record));
	buf_add(&s->worker.out.data, q->generated, q->code_size);
	record_pad(&s->worker.out.data, q->code_size);
}

static void ask_about_module(struct symbolizer *s, struct question *q)
{
	struct module *module = modules_get(s->modules, q->module);

	q->hopeless = !module_usable(module) || !provide_module(s, q->module, module);
	if (!q->hopeless)
		add_question(s, q);
}

static void ask_about_generated(struct symbolizer *s, struct question *q)
{
	q->hopeless = q->tries++ == GENERATED_TRIES;
	if (!q->hopeless)
		add_generated(s, q);
}

static void fill_packet(struct symbolizer *s)
{
	while (s->sent < s->asked && s->worker.out.data.len < BATCH &&
	       s->worker.out.fd_count < PACKET_FDS) {
		struct question *q = question_at(s, s->sent);

		if (q->generated)
			ask_about_generated(s, q);
		else
			ask_about_module(s, q);
		s->sent++;
	}
}

static void send_questions(struct symbolizer *s)
{
	int r = 0;

	while (s->worker.socket >= 0 && r == 0) {
		if (!s->worker.out.data.len)
			fill_packet(s);
		if (!s->worker.out.data.len)
			break;
		r = worker_send(&s->worker);
	}
	worker_poll_writable(&s->worker, s->worker.out.data.len || s->sent < s->asked);
}

static void answer(struct symbolizer *s, const struct symbol *symbols, size_t count)
{
	uint32_t frame = question_at(s, s->answered)->frame;

	s->answered++;
	if (count)
		s->stats.named++;
	else
		s->stats.unnamed++;
	s->options.handler(s->options.arg, frame, symbols, count);
}

static void answer_code(struct symbolizer *s, const void *bytes, size_t len)
{
	struct question *q = question_at(s, s->answered);
	uint32_t function = q->frame;

	free(q->generated);
	q->generated = NULL;
	s->answered++;
	s->options.code(s->options.arg, function, bytes, len);
}

static void answer_hopeless(struct symbolizer *s)
{
	if (s->worker.broken)
		for (; s->sent < s->asked; s->sent++)
			question_at(s, s->sent)->hopeless = true;
	while (s->answered < s->sent && question_at(s, s->answered)->hopeless) {
		if (question_at(s, s->answered)->code_size)
			answer_code(s, NULL, 0);
		else
			answer(s, NULL, 0);
	}
}

/* The text goes into s->text, which moves while it grows: offsets first, pointers later. */
static size_t keep_text(struct symbolizer *s, const char *text, size_t len)
{
	size_t at = s->text.len;
	const char *nul = memchr(text, 0, len);

	escape_utf8(&s->text, text, nul ? (size_t)(nul - text) : len);
	buf_addch(&s->text, 0);
	return at;
}

static bool decode_symbols(struct symbolizer *s, const struct record_answer *r,
			   struct symbol *symbols)
{
	const char *p = (const char *)(r + 1), *end = (const char *)r + r->head.size;
	size_t names[ANSWER_SYMBOLS], files[ANSWER_SYMBOLS];

	buf_reset(&s->text);
	for (uint32_t i = 0; i < r->count; i++) {
		struct answer_symbol a;

		if ((size_t)(end - p) < sizeof(a))
			return false;
		memcpy(&a, p, sizeof(a));
		p += sizeof(a);
		size_t text = record_padded((size_t)a.name_len + a.file_len);
		if ((size_t)(end - p) < text)
			return false;
		names[i] = keep_text(s, p, a.name_len);
		files[i] = a.file_len ? keep_text(s, p + a.name_len, a.file_len) : SIZE_MAX;
		symbols[i] = (struct symbol){
			.line = a.line, .start = a.start, .size = a.size, .inlined = a.inlined};
		p += text;
	}
	for (uint32_t i = 0; i < r->count; i++) {
		symbols[i].name = s->text.data + names[i];
		symbols[i].file = files[i] == SIZE_MAX ? NULL : s->text.data + files[i];
	}
	return true;
}

/* False: the record is malformed. */
typedef bool record_handler(struct symbolizer *s, const struct record *record);

static bool on_hello(struct symbolizer *s, const struct record *record)
{
	s->stats.child_pid = (pid_t)((const struct record_hello *)(const void *)record)->pid;
	return true;
}

static bool on_module_info(struct symbolizer *s, const struct record *record)
{
	const struct record_module_info *r = (const void *)record;
	struct module *module = modules_get(s->modules, r->module);

	if (!module || r->build_id_len > BUILD_ID_MAX)
		return false;
	module->build_id_len = r->build_id_len;
	memcpy(module->build_id, r->build_id, r->build_id_len);
	return true;
}

/* The question that is answered now; NULL: it was another, or of the other sort. */
static const struct question *answered_question(struct symbolizer *s, uint32_t sequence, bool code)
{
	answer_hopeless(s);
	if (s->answered == s->sent || sequence != (uint32_t)s->answered)
		return NULL;
	const struct question *q = question_at(s, s->answered);
	return code == (q->code_size > 0) ? q : NULL;
}

static bool on_answer(struct symbolizer *s, const struct record *record)
{
	const struct record_answer *r = (const void *)record;
	struct symbol symbols[ANSWER_SYMBOLS];

	if (!answered_question(s, r->sequence, false) || r->count > ANSWER_SYMBOLS ||
	    !decode_symbols(s, r, symbols))
		return false;
	answer(s, symbols, r->count);
	return true;
}

static bool on_callees(struct symbolizer *s, const struct record *record)
{
	const struct record_answer *r = (const void *)record;
	const struct question *q = answered_question(s, r->sequence, true);
	struct symbol symbols[ANSWER_SYMBOLS];

	if (!q || r->count > ANSWER_SYMBOLS || !decode_symbols(s, r, symbols))
		return false;
	s->options.code_callees(s->options.arg, q->frame, symbols, r->count);
	return true;
}

static bool on_wait_loops(struct symbolizer *s, const struct record *record)
{
	const struct record_wait_loops *r = (const void *)record;
	const struct question *q = answered_question(s, r->sequence, true);

	if (!q || r->count > WAIT_LOOPS_MOST || r->head.size != sizeof(*r) + r->count * sizeof(struct wait_loop))
		return false;
	if (s->options.wait_loops)
		s->options.wait_loops(s->options.arg, q->frame, (const struct wait_loop *)(const void *)(r + 1), r->count);
	return true;
}

static bool on_code_answer(struct symbolizer *s, const struct record *record)
{
	const struct record_code_answer *r = (const void *)record;
	const struct question *q = answered_question(s, r->sequence, true);

	if (!q || r->len > r->head.size - sizeof(*r) || (r->len && r->len != q->code_size))
		return false;
	answer_code(s, r + 1, r->len);
	return true;
}

static bool on_usage(struct symbolizer *s, const struct record *record)
{
	s->stats.child_bytes = ((const struct record_usage *)(const void *)record)->bytes;
	return true;
}

static bool handle_packet(struct symbolizer *s)
{
	static record_handler *const handlers[RECORD_TYPES] = {
		[RECORD_HELLO] = on_hello,
		[RECORD_MODULE_INFO] = on_module_info,
		[RECORD_ANSWER] = on_answer,
		[RECORD_USAGE] = on_usage,
		[RECORD_CALLEES] = on_callees,
		[RECORD_WAIT_LOOPS] = on_wait_loops,
		[RECORD_CODE_ANSWER] = on_code_answer,
	};
	const struct record *record;
	size_t position = 0;

	while ((record = packet_next(&s->worker.in, &position)))
		if (!handlers[record->type] || !handlers[record->type](s, record))
			return false;
	return position == s->worker.in.data.len;
}

static void receive_answers(struct symbolizer *s)
{
	for (int i = 0; i < PACKETS_A_TURN && s->worker.socket >= 0; i++) {
		int r = worker_receive(&s->worker);

		if (r == -EAGAIN)
			return;
		if (r < 0 || !handle_packet(s))
			child_lost(s);
	}
}

static int open_wanted(void *arg, const struct file_wanted *wanted, const char *name,
		       struct buf *note)
{
	struct symbolizer *s = arg;
	const struct module *module = modules_get(s->modules, wanted->module);

	return module ? module_open_wanted(module, wanted->kind, name, wanted->len) : -ENOENT;
}

/* A child that has grown too large is replaced while nothing is due; modules go to the new one as
 * they are asked for. */
static void keep_child_small(struct symbolizer *s)
{
	if (s->worker.socket < 0 || s->answered != s->asked)
		return;
	bool lines = s->options.source_lines || s->options.inlined;
	if (s->stats.child_bytes > (lines ? CHILD_MEMORY_LINES : CHILD_MEMORY) ||
	    s->modules_sent > CHILD_MODULES) {
		disconnect(s);
		s->stats.child_bytes = 0;
	}
}

static bool is_due(const struct symbolizer *s)
{
	return s->answered != s->asked || unwind_client_due(s->unwind);
}

/* It looks after children that hang. Runs on until a second in which nothing is due. */
static void run_timer(struct symbolizer *s, bool wanted)
{
	struct itimerspec when = {0};

	if (s->timer_runs == wanted)
		return;
	if (wanted)
		when.it_value.tv_sec = when.it_interval.tv_sec = 1;
	timerfd_settime(s->timer, 0, &when, NULL);
	s->timer_runs = wanted;
}

static bool timer_expired(struct symbolizer *s, const struct epoll_event *events, int count)
{
	uint64_t expirations;

	for (int i = 0; i < count; i++)
		if (events[i].data.fd == s->timer)
			return read(s->timer, &expirations, sizeof(expirations)) > 0;
	return false;
}

int symbolizer_dispatch(struct symbolizer *s)
{
	struct epoll_event events[8];
	int count = epoll_wait(s->epoll, events, ARRAY_SIZE(events), 0);
	bool expired = timer_expired(s, events, count);

	if (count < 0 && errno != EINTR)
		return -errno;
	worker_look(&s->worker, events, count);
	if (worker_serve_files(&s->worker, open_wanted, s) < 0)
		child_lost(s);
	receive_answers(s);
	if (s->answered != s->asked) {
		if (s->worker.socket >= 0 && clock_mono_ns() - s->worker.heard_ns > HANG_NS)
			child_lost(s);
		connect_child(s);
	}
	send_questions(s);
	answer_hopeless(s);
	keep_child_small(s);
	unwind_client_dispatch(s->unwind, events, count);
	if (expired)
		unwind_client_trim(s->unwind);
	if (is_due(s))
		run_timer(s, true);
	else if (expired)
		run_timer(s, false);
	return 0;
}

static int enqueue(struct symbolizer *s, const struct question *q)
{
	if (s->asked - s->answered == QUEUE_MAX)
		return -EAGAIN;
	if (s->asked - s->answered == s->queue_size) {
		struct question *larger = xmalloc(2 * s->queue_size * sizeof(*larger));

		for (uint64_t i = s->answered; i < s->asked; i++)
			larger[i & (2 * s->queue_size - 1)] = *question_at(s, i);
		free(s->queue);
		s->queue = larger;
		s->queue_size *= 2;
	}
	if (s->asked == s->answered)
		s->worker.heard_ns = clock_mono_ns();
	*question_at(s, s->asked++) = *q;
	s->stats.requests++;
	connect_child(s);
	worker_poll_writable(&s->worker, true);
	run_timer(s, true);
	return 0;
}

int symbolizer_request(struct symbolizer *s, int module, uint64_t offset, uint32_t frame)
{
	if (module < 0 || !modules_get(s->modules, (uint32_t)module))
		return -ENOENT;
	return enqueue(s, &(struct question){.offset = offset, .module = (uint32_t)module, .frame = frame});
}

int symbolizer_request_code(struct symbolizer *s, int module, uint64_t offset, uint64_t size, uint32_t function)
{
	const struct module *m = module < 0 ? NULL : modules_get(s->modules, (uint32_t)module);

	if (!m)
		return -ENOENT;
	if (m->kind != MODULE_ELF || !size || size > SYMBOL_CODE_MAX || !s->options.code || !s->options.code_callees)
		return -EINVAL;
	return enqueue(s, &(struct question){.offset = offset, .module = (uint32_t)module, .frame = function,
					     .code_size = (uint32_t)size});
}

int symbolizer_request_loops(struct symbolizer *s, const void *bytes, uint32_t size, uint64_t start, uint64_t at, uint32_t function)
{
	if (!size || size > SYMBOL_GENERATED_MAX || at < start || at - start >= size || !s->options.code)
		return -EINVAL;
	struct question q = {.offset = at, .module = NO_MODULE, .frame = function, .code_size = size,
			     .generated = xmalloc(size), .generated_start = start};
	memcpy(q.generated, bytes, size);
	int r = enqueue(s, &q);
	if (r < 0)
		free(q.generated);
	return r;
}

void symbolizer_flush(struct symbolizer *s, uint64_t timeout_ns)
{
	uint64_t start = clock_mono_ns(), now = start;
	struct pollfd wait = {.fd = s->epoll, .events = POLLIN};

	symbolizer_send(s);
	while (is_due(s) && now - start < timeout_ns && symbolizer_dispatch(s) >= 0) {
		if (!is_due(s))
			return;
		uint64_t left_ms = (timeout_ns - (now - start)) / NS_PER_MS + 1;
		poll(&wait, 1, left_ms < 1000 ? (int)left_ms : 1000);
		now = clock_mono_ns();
	}
}

int symbolizer_space(struct symbolizer *s, uint32_t space, const struct symbol_space_mapping *m,
		     size_t count)
{
	return unwind_client_space(s->unwind, space, m, count);
}

void symbolizer_forget_space(struct symbolizer *s, uint32_t space)
{
	unwind_client_forget_space(s->unwind, space);
}

int symbolizer_unwind(struct symbolizer *s, uint32_t space, const struct unwind_regs *regs,
		      uint64_t stack_start, const void *bytes, size_t len, uint64_t cookie)
{
	if (!s->options.unwound)
		return -EINVAL;
	int r = unwind_client_unwind(s->unwind, space, regs, stack_start, bytes, len, cookie);
	if (r == 0)
		run_timer(s, true);
	return r;
}

void symbolizer_send(struct symbolizer *s)
{
	unwind_client_send(s->unwind);
}

int symbolizer_kernel(struct symbolizer *s)
{
	return (int)modules_kernel(s->modules);
}

int symbolizer_vdso(struct symbolizer *s)
{
	return (int)modules_vdso(s->modules);
}

int symbolizer_perf_map(struct symbolizer *s, pid_t pid)
{
	return (int)modules_perf_map(s->modules, pid);
}

int symbolizer_elf(struct symbolizer *s, const struct symbol_mapping *m)
{
	if (!m->path || !*m->path)
		return -EINVAL;
	return (int)modules_elf(s->modules, m);
}

int symbolizer_python(struct symbolizer *s, const struct symbol_mapping *m)
{
	return (int)modules_python(s->modules, m);
}

int symbolizer_marks(struct symbolizer *s, const struct symbol_mapping *m)
{
	return (int)modules_marks(s->modules, m);
}

int symbolizer_open(const struct symbolizer *s, int module)
{
	const struct module *m = module < 0 ? NULL : modules_get(s->modules, (uint32_t)module);

	return m ? modules_copy_fd(m) : -ENOENT;
}

void symbolizer_forget_process(struct symbolizer *s, pid_t pid)
{
	modules_forget_process(s->modules, pid);
}

bool symbolizer_module_build_id(const struct symbolizer *s, int module, uint8_t ret_id[20],
				size_t *ret_len)
{
	const struct module *m = module < 0 ? NULL : modules_get(s->modules, (uint32_t)module);

	if (!m || !m->build_id_len)
		return false;
	memcpy(ret_id, m->build_id, m->build_id_len);
	*ret_len = m->build_id_len;
	return true;
}

const struct symbolizer_stats *symbolizer_stats(const struct symbolizer *s)
{
	return &s->stats;
}

int symbolizer_fd(const struct symbolizer *s)
{
	return s->epoll;
}

int symbolizer_new(const struct symbolizer_options *options, struct symbolizer **ret)
{
	_cleanup_(symbolizer_freep) struct symbolizer *s = xcalloc(1, sizeof(*s));

	s->options = *options;
	s->text = (struct buf)BUF_INIT;
	s->zygote.control = -1;
	s->modules = modules_new(&s->stats);
	s->queue_size = 1024;
	s->queue = xcalloc(s->queue_size, sizeof(*s->queue));
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	int error = errno;
	worker_init(&s->worker, &s->zygote, CHILD_NAMES, s->epoll);
	s->unwind = unwind_client_new(&s->options, &s->zygote, s->modules, s->epoll, &s->stats);
	if (s->epoll < 0 || s->timer < 0)
		return fail(-error, "set up the symbol parser");
	epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->timer, &(struct epoll_event){.events = EPOLLIN, .data.fd = s->timer});
	int r = zygote_init(&s->zygote);
	if (r < 0)
		return r;
	connect_child(s);
	if (s->worker.socket < 0)
		return failx(-EPIPE, "the symbol parser did not start");
	*ret = s;
	s = NULL;
	return 0;
}

void symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return;
	unwind_client_free(s->unwind);
	worker_done(&s->worker);
	zygote_done(&s->zygote);
	if (s->epoll >= 0)
		close(s->epoll);
	if (s->timer >= 0)
		close(s->timer);
	modules_free(s->modules);
	buf_done(&s->text);
	for (; s->answered < s->asked; s->answered++)
		free(question_at(s, s->answered)->generated);
	free(s->queue);
	free(s);
}
