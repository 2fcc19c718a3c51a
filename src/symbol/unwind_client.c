// SPDX-License-Identifier: BSD-2-Clause
#include "unwind_client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "mem.h"
#include "spaces.h"
#include "stack_ring.h"
#include "table_cache.h"
#include "unwind_memo.h"
#include "worker.h"

#define REQUESTS_MAX 8192u /* a power of two */
#define RING_BYTES (16u << 20)
#define STACK_MAX (512u << 10) /* of one request; what is longer is cut */
#define BATCH (PACKET_MAX / 2) /* sent without waiting for more */
#define GATHERED_MAX (512u << 10) /* bytes of stacks, likewise: what the ring keeps has room for as much again meanwhile */
#define CHUNK 1024 /* mappings in one record */
#define TABLE_MEMORY (24u << 20) /* all of perfscope is to take 64 MB */
#define HANG_NS (30 * NS_PER_S) /* no sign of life for so long, although something is due */
#define PACKETS_A_TURN 64

struct request {
	uint64_t cookie;
	size_t at, len; /* in the ring */
	uint32_t space, changes; /* changes: when it was asked */
	bool explain; /* what the walk went by */
};

struct unwind_client {
	const struct symbolizer_options *options;
	struct symbolizer_stats *stats;
	struct modules *modules;
	struct spaces *spaces;
	struct table_cache *cache;
	struct unwind_memo *memo; /* NULL: nothing is remembered */
	struct worker worker;
	struct stack_ring ring;
	/* Counted up for ever: answered <= asked; each is at its number modulo REQUESTS_MAX. */
	struct request *requests;
	uint64_t answered, asked;
	uint32_t changes; /* of spaces: explanations of what was asked before are of no use */
	bool stale;      /* the explanation that may follow is none of use */
	size_t gathered; /* bytes of stacks since the child was last woken for them */
	bool sends;      /* the packet that is being filled is to go */
	bool has_news;   /* there are mappings in it whose files may soon be gone */
	uint32_t *forgotten; /* spaces that the child still knows */
	size_t forgotten_count, forgotten_capacity;
	uint32_t served; /* the module that the child asked for last */
	char table[TABLE_NAME_MAX]; /* and what its table is called in the cache; "": nothing */
};

struct unwind_client *unwind_client_new(const struct symbolizer_options *options,
					struct zygote *zygote, struct modules *modules, int epoll,
					struct symbolizer_stats *stats)
{
	struct unwind_client *c = xcalloc(1, sizeof(*c));

	c->options = options;
	c->stats = stats;
	c->modules = modules;
	c->spaces = spaces_new();
	c->cache = table_cache_new(options->table_cache);
	c->memo = options->remembers ? unwind_memo_new() : NULL;
	c->ring.fd = -1;
	c->requests = xcalloc(REQUESTS_MAX, sizeof(*c->requests));
	c->served = NO_MODULE;
	worker_init(&c->worker, zygote, CHILD_UNWIND, epoll);
	return c;
}

void unwind_client_free(struct unwind_client *c)
{
	if (!c)
		return;
	worker_done(&c->worker);
	stack_ring_done(&c->ring);
	spaces_free(c->spaces);
	table_cache_free(c->cache);
	unwind_memo_free(c->memo);
	free(c->requests);
	free(c->forgotten);
	free(c);
}

void unwind_client_use_modules(struct unwind_client *c)
{
	const struct space *space;
	size_t cursor = 0;

	while ((space = spaces_next(c->spaces, &cursor)))
		for (uint32_t i = 0; i < space->count; i++)
			modules_use(c->modules, space->mappings[i].module);
}

bool unwind_client_due(const struct unwind_client *c)
{
	return c->answered != c->asked;
}

static struct request *request_at(struct unwind_client *c, uint64_t number)
{
	return &c->requests[number & (REQUESTS_MAX - 1)];
}

static void answer(struct unwind_client *c, const uint64_t *addresses, size_t depth,
		   enum unwind_status status, enum unwind_reason reason)
{
	uint64_t cookie = request_at(c, c->answered)->cookie;

	c->answered++;
	c->stats->unwound[status]++;
	if (status == UNWIND_TRUNCATED)
		c->stats->truncated[reason]++;
	c->options->unwound(c->options->arg, cookie, addresses, depth, status, reason);
}

/* The child */

static int start(struct unwind_client *c)
{
	uint64_t table_memory = c->options->table_memory ? c->options->table_memory : TABLE_MEMORY;
	struct record_setup setup = {.head = {RECORD_SETUP, sizeof(setup)},
				     .table_memory = table_memory,
				     .unused_ns = c->options->unused_ns};

	if (c->worker.socket >= 0)
		return 0;
	if (c->ring.fd < 0) {
		int r = stack_ring_init(&c->ring, RING_BYTES);

		if (r < 0)
			return fail(r, "share memory with the process that unwinds");
	}
	if (!worker_start(&c->worker))
		return -EAGAIN;
	int fd = fcntl(c->ring.fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0) {
		int r = -errno;

		worker_stop(&c->worker);
		return fail(r, "share memory with the process that unwinds");
	}
	setup.stack_memory = c->ring.size;
	buf_add(&c->worker.out.data, &setup, sizeof(setup));
	c->worker.out.fds[c->worker.out.fd_count++] = fd;
	return 0;
}

/* What it had is lost. The memory that it may still be writing to is never used again. */
static void child_lost(struct unwind_client *c)
{
	struct module *module = modules_get(c->modules, worker_module(&c->worker));
	uint64_t until = c->asked;

	worker_stop(&c->worker);
	c->sends = c->has_news = false;
	stack_ring_done(&c->ring);
	spaces_lost(c->spaces);
	table_cache_abandon(c->cache);
	c->forgotten_count = 0;
	if (c->memo)
		unwind_memo_forget_all(c->memo); /* whoever had taken it over may have explained what is not true */
	c->stats->unwind_restarts++;
	c->stats->unwind_pid = 0;
	c->stats->table_bytes = c->stats->tables = 0;
	if (module && module->unwind_strikes < STRIKES_MAX &&
	    ++module->unwind_strikes == STRIKES_MAX)
		c->stats->poisoned++;
	while (c->answered < until)
		answer(c, NULL, 0, UNWIND_LOST, UNWIND_REASON_NONE);
}

/* Room for a record of that size in the packet that is being filled. */
static bool make_room(struct unwind_client *c, size_t size)
{
	return c->worker.out.data.len + size <= PACKET_MAX || worker_send(&c->worker) == 0;
}

/* Spaces */

static uint32_t code_of(struct unwind_client *c, int id)
{
	const struct module *module = id < 0 ? NULL : modules_get(c->modules, (uint32_t)id);

	if (id == SYMBOL_CODE_GENERATED_FP)
		return SPACE_JIT_FP;
	return module && module->kind == MODULE_ELF ? (uint32_t)id : SPACE_JIT;
}

int unwind_client_space(struct unwind_client *c, uint32_t number,
			const struct symbol_space_mapping *m, size_t count)
{
	if (count > SPACE_MAPPINGS_MAX)
		return -E2BIG;
	if (c->memo)
		unwind_memo_forget(c->memo, number);
	c->changes += spaces_get(c->spaces, number) != NULL;
	_cleanup_free_ struct space_mapping *copy = xcalloc(count, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = (struct space_mapping){.start = m[i].start,
						 .end = m[i].end,
						 .offset = m[i].offset,
						 .module = code_of(c, m[i].module)};
	return spaces_define(c->spaces, number, copy, count);
}

void unwind_client_forget_space(struct unwind_client *c, uint32_t number)
{
	if (c->memo)
		unwind_memo_forget(c->memo, number);
	if (!spaces_remove(c->spaces, number))
		return;
	GROW(c->forgotten, c->forgotten_count, c->forgotten_capacity);
	c->forgotten[c->forgotten_count++] = number;
}

static void send_forgotten(struct unwind_client *c)
{
	struct record_forget_space record = {.head = {RECORD_FORGET_SPACE, sizeof(record)}};

	while (c->forgotten_count && make_room(c, sizeof(record))) {
		record.space = c->forgotten[--c->forgotten_count];
		buf_add(&c->worker.out.data, &record, sizeof(record));
	}
}

static bool provide_space(struct unwind_client *c, struct space *space)
{
	while (!space->complete) {
		uint32_t left = space->count - space->sent, count = left < CHUNK ? left : CHUNK;
		size_t bytes = count * sizeof(*space->mappings);
		struct record_space record = {.head = {RECORD_SPACE,
						       (uint32_t)(sizeof(record) + bytes)},
					      .space = space->number,
					      .total = space->count,
					      .first = space->sent,
					      .count = count};

		if (!make_room(c, record.head.size))
			return false;
		buf_add(&c->worker.out.data, &record, sizeof(record));
		buf_add(&c->worker.out.data, space->mappings + space->sent, bytes);
		space->sent += count;
		space->known = c->has_news = true;
		space->complete = space->sent == space->count;
	}
	return true;
}

/* Requests */

static int add_request(struct unwind_client *c, struct record_unwind *record,
		       const struct unwind_regs *regs, const void *bytes)
{
	size_t piece = sizeof(*regs) + record->len;

	if (!make_room(c, sizeof(*record)))
		return -EAGAIN;
	size_t at = stack_ring_take(&c->ring, piece);
	if (at == SIZE_MAX)
		return -EAGAIN;
	memcpy(c->ring.base + at, regs, sizeof(*regs));
	if (record->len)
		memcpy(c->ring.base + at + sizeof(*regs), bytes, record->len);
	record->at = at;
	buf_add(&c->worker.out.data, record, sizeof(*record));
	*request_at(c, c->asked) = (struct request){
		.at = at, .len = piece, .space = record->space, .changes = c->changes, .explain = record->explain};
	c->gathered += piece;
	return 0;
}

/* In the next turn: whoever asks is in no state to hear that the child is lost. */
static void send_soon(struct unwind_client *c)
{
	if (!c->worker.out.data.len)
		return;
	c->sends = true;
	worker_poll_writable(&c->worker, true);
}

static bool answer_from_memory(struct unwind_client *c, const struct unwind_capture *capture, uint64_t cookie, bool *ret_again)
{
	size_t depth;
	const uint64_t *addresses = unwind_memo_find(c->memo, capture, &depth, ret_again);

	if (!addresses)
		return false;
	c->stats->unwinds++;
	c->stats->remembered++;
	c->stats->unwound[UNWIND_COMPLETE]++;
	c->options->unwound(c->options->arg, cookie, addresses, depth, UNWIND_COMPLETE, UNWIND_REASON_NONE);
	return true;
}

int unwind_client_unwind(struct unwind_client *c, uint32_t number, const struct unwind_regs *regs,
			 const struct stack_copy *stack, uint64_t cookie)
{
	struct space *space = spaces_get(c->spaces, number);
	bool again = false;
	struct record_unwind record = {.head = {RECORD_UNWIND, sizeof(record)},
				       .space = number,
				       .sequence = (uint32_t)c->asked,
				       .len = stack->len < STACK_MAX ? stack->len : STACK_MAX,
				       .stack_start = stack->start,
				       .present = stack->present};

	if (!space)
		return -ENOENT;
	if (c->memo && !stack->present &&
	    answer_from_memory(c, &(struct unwind_capture){number, regs, stack->start, stack->bytes, record.len}, cookie, &again))
		return 0;
	record.explain = again;
	if (c->asked - c->answered == REQUESTS_MAX)
		return -EAGAIN;
	int r = start(c);
	if (r < 0)
		return r;
	if (c->asked == c->answered)
		c->worker.heard_ns = clock_mono_ns();
	r = provide_space(c, space) ? add_request(c, &record, regs, stack->bytes) : -EAGAIN;
	/* Without room it is sent, so that there will be some. */
	if (!c->options->gathers || r < 0 || c->gathered >= GATHERED_MAX)
		send_soon(c);
	if (r < 0)
		return r;
	request_at(c, c->asked++)->cookie = cookie;
	c->stats->unwinds++;
	if (c->worker.out.data.len >= BATCH)
		worker_send(&c->worker);
	return 0;
}

/* Answers */

static bool on_hello(void *arg, const struct record *record)
{
	struct unwind_client *c = arg;

	c->stats->unwind_pid = (pid_t)((const struct record_hello *)(const void *)record)->pid;
	return true;
}

static bool on_unwound(void *arg, const struct record *record)
{
	struct unwind_client *c = arg;
	const struct record_unwound *r = (const void *)record;
	const uint64_t *addresses = (const void *)(r + 1);

	if (c->answered == c->asked || r->sequence != (uint32_t)c->answered ||
	    r->status >= UNWIND_LOST || r->reason >= UNWIND_REASONS ||
	    r->depth > UNWIND_FRAMES_MAX ||
	    r->head.size != sizeof(*r) + r->depth * sizeof(*addresses))
		return false;
	const struct request *q = request_at(c, c->answered);
	stack_ring_give_back(&c->ring, q->at, q->len);
	if (c->memo)
		unwind_memo_expect(c->memo, q->explain, q->space);
	c->stale = q->changes != c->changes;
	answer(c, addresses, r->depth, r->status, r->reason);
	return true;
}

static bool on_explained(void *arg, const struct record *record)
{
	struct unwind_client *c = arg;
	const struct record_explained *r = (const void *)record;

	if (!c->memo || !unwind_memo_learn(c->memo, r))
		return false;
	if (c->stale || !spaces_get(c->spaces, r->space))
		unwind_memo_forget(c->memo, r->space);
	return true;
}

static bool on_tables(void *arg, const struct record *record)
{
	struct unwind_client *c = arg;
	const struct record_tables *r = (const void *)record;

	c->stats->tables = r->tables;
	c->stats->table_bytes = r->bytes;
	c->stats->tables_built = r->built;
	c->stats->tables_loaded = r->loaded;
	c->stats->tables_evicted = r->evicted;
	c->stats->tables_failed = r->failed;
	c->stats->tables_unused = r->unused;
	c->stats->rows_unsupported = r->unsupported;
	return true;
}

static bool handle_packet(struct unwind_client *c)
{
	static worker_record *const handlers[RECORD_TYPES] = {
		[RECORD_HELLO] = on_hello,
		[RECORD_UNWOUND] = on_unwound,
		[RECORD_EXPLAINED] = on_explained,
		[RECORD_TABLES] = on_tables,
	};

	return worker_take(&c->worker, handlers, c);
}

static int receive_answers(struct unwind_client *c)
{
	for (int i = 0; i < PACKETS_A_TURN; i++) {
		int r = worker_receive(&c->worker);

		if (r < 0)
			return r == -EAGAIN ? 0 : r;
		if (!handle_packet(c))
			return -EBADMSG;
		if (!unwind_client_due(c))
			break;
	}
	return 0;
}

/* Files */

typedef int table_opener(struct unwind_client *c, const struct module *module,
			 const struct file_wanted *wanted, const char *name, struct buf *note);

static int open_module(struct unwind_client *c, const struct module *module,
		       const struct file_wanted *wanted, const char *name, struct buf *note)
{
	struct stat st;

	c->served = NO_MODULE;
	if (module->unwind_strikes >= STRIKES_MAX)
		return -EPERM;
	int fd = modules_copy_fd(module);
	if (fd < 0)
		return fd;
	buf_add(note, module->mapping.build_id, module->mapping.build_id_len);
	if (*module->mapping.path && fstat(fd, &st) == 0) {
		table_cache_name(&st, c->table);
		c->served = wanted->module;
	}
	return fd;
}

static int open_again(struct unwind_client *c, const struct module *module,
		      const struct file_wanted *wanted, const char *name, struct buf *note)
{
	_cleanup_(buf_done) struct buf build_id = BUF_INIT;
	int fd = open_module(c, module, wanted, name, &build_id);

	if (fd < 0)
		buf_addch(note, 1);
	return fd;
}

static int open_table(struct unwind_client *c, const struct module *module,
		      const struct file_wanted *wanted, const char *name, struct buf *note)
{
	return c->served == wanted->module ? table_cache_open(c->cache, c->table) : -ENOENT;
}

static int open_room(struct unwind_client *c, const struct module *module,
		     const struct file_wanted *wanted, const char *name, struct buf *note)
{
	uint64_t size;

	if (c->served != wanted->module || wanted->len != sizeof(size))
		return -EINVAL;
	memcpy(&size, name, sizeof(size));
	return table_cache_create(c->cache, c->table, size);
}

static int keep_table(struct unwind_client *c, const struct module *module,
		      const struct file_wanted *wanted, const char *name, struct buf *note)
{
	if (c->served == wanted->module)
		table_cache_keep(c->cache);
	return -ENOENT; /* no descriptor goes with the answer */
}

static int open_wanted(void *arg, const struct file_wanted *wanted, const char *name,
		       struct buf *note)
{
	static table_opener *const openers[WANTED_KINDS] = {
		[WANTED_MODULE] = open_module,
		[WANTED_AGAIN] = open_again,
		[WANTED_TABLE] = open_table,
		[WANTED_TABLE_ROOM] = open_room,
		[WANTED_TABLE_KEPT] = keep_table,
	};
	struct unwind_client *c = arg;
	const struct module *module = modules_get(c->modules, wanted->module);

	if (!module || module->kind != MODULE_ELF || wanted->kind >= WANTED_KINDS)
		return -EINVAL;
	if (wanted->kind < WANTED_FILES)
		return module_open_wanted(module, wanted->kind, name, wanted->len);
	return openers[wanted->kind](c, module, wanted, name, note);
}

/* One turn */

static int send_all(struct unwind_client *c)
{
	if (!c->sends)
		return 0;
	send_forgotten(c);
	int r = worker_send(&c->worker);
	if (r == -EAGAIN)
		return 0;
	c->sends = c->has_news = false;
	c->gathered = 0;
	return r;
}

bool unwind_client_has_news(const struct unwind_client *c)
{
	return c->has_news;
}

void unwind_client_send(struct unwind_client *c)
{
	if (!c->worker.out.data.len)
		return;
	c->sends = true;
	if (send_all(c) < 0)
		child_lost(c);
	worker_poll_writable(&c->worker, c->sends);
}

static bool hangs(struct unwind_client *c)
{
	return unwind_client_due(c) && clock_mono_ns() - c->worker.heard_ns > HANG_NS;
}

void unwind_client_dispatch(struct unwind_client *c, const struct epoll_event *events, int count)
{
	if (c->worker.socket < 0)
		return;
	worker_look(&c->worker, events, count);
	if (worker_serve_files(&c->worker, open_wanted, c) < 0 || receive_answers(c) < 0 ||
	    send_all(c) < 0 || hangs(c))
		child_lost(c);
	worker_poll_writable(&c->worker, c->sends);
}

void unwind_client_trim(struct unwind_client *c)
{
	stack_ring_trim(&c->ring);
}
