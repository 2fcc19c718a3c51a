// SPDX-License-Identifier: BSD-2-Clause
#include "frames.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "code.h"
#include "generated_code.h"
#include "hash.h"
#include "images.h"
#include "kernel_functions.h"
#include "kernel_text.h"
#include "keys.h"
#include "mappings.h"
#include "mem.h"
#include "recent.h"
#include "store_write.h"
#include "tasks.h"
#include "wait_loops.h"

/* Keys, packed: equal frames and stacks have equal bytes. */
struct frame_key {
	uint32_t module, low, high; /* address in two halves: 8 bytes would bring padding */
};

struct node_key {
	uint32_t parent, frame;
};

/* Each takes about 16 bytes. Programs that recurse, such as compilers, have new ones for ever: of so many (of a minute or more, then)
 * the old ones are forgotten, and those that come again are written again. */
#define MOST_NODES (1u << 17)

/* Likewise of frames, of some 70 bytes, and of symbols, of 20: builds and tests bring new functions for ever. Only those that nobody met
 * while so many others came by are forgotten. */
#define MOST_FRAMES (1u << 15)
#define MOST_SYMBOLS (1u << 15)

struct frame {
	uint64_t address, start; /* of its function */
	uint32_t image;          /* whose symbols an answer belongs to */
	uint32_t symbol, size;   /* of the function whose code it is; 0: not known (yet), or code without a file */
	uint32_t samples;        /* of the time before, or of generated code */
};

/* Names are long: their hashes do. */
struct symbol_key {
	uint64_t module, start, name;
};

/* Most frames of most stacks were met before below the same ones: then one place tells where the step from there leads, instead of
 * the mapping's, the frame's and the node's tables, none of which stays in the CPU's cache beside a busy program. */
struct step {
	uint64_t address;
	uint32_t space, parent; /* 0: the kernel's; as mappings_space() */
	uint32_t node;          /* 0: not known */
};

#define STEPS 4096u

struct image_state {
	int symbolizer_id; /* -1: not asked for yet, -2: has none */
	bool written, identified; /* in the recording; with its build id */
};

/* A question that the symbolizer's queue had no room for. */
struct question {
	int module;
	uint32_t frame;
	uint64_t address;
};

struct frames {
	struct store *store;
	struct symbolizer *symbolizer;
	struct images *images;
	struct recent *ids;     /* of frames, by struct frame_key */
	struct recent *known;   /* by id: struct frame */
	struct recent *symbols; /* by hash of struct symbol_key: id */
	struct keys *nodes;
	uint32_t last_frame, last_symbol;
	uint32_t forgotten; /* stacks with ids up to here */
	struct step *steps; /* by hash */
	struct image_state *states; /* by image id - 1 */
	uint32_t state_count;
	uint32_t kernel_image;
	struct kernel_functions kernel;
	const struct kernel_text *text; /* NULL: not known yet */
	struct code *code;
	struct generated_code generated;
	uint32_t unnamed, code_due;
	struct question *waiting;
	uint32_t waiting_count, waiting_capacity;
};

struct frames *frames_new(struct store *s)
{
	struct frames *f = xcalloc(1, sizeof(*f));

	f->store = s;
	f->images = images_new();
	f->ids = recent_new(sizeof(struct frame_key), sizeof(uint32_t), MOST_FRAMES);
	f->known = recent_new(sizeof(uint32_t), sizeof(struct frame), MOST_FRAMES);
	f->symbols = recent_new(sizeof(uint64_t), sizeof(uint32_t), MOST_SYMBOLS);
	f->nodes = keys_new(sizeof(struct node_key));
	f->steps = xcalloc(STEPS, sizeof(*f->steps));
	f->code = code_new();
	f->kernel_image = images_id(f->images, &(struct image){.kind = IMAGE_KERNEL, .path = "[kernel]"});
	return f;
}

void frames_set_symbolizer(struct frames *f, struct symbolizer *symbolizer)
{
	f->symbolizer = symbolizer;
}

void frames_set_kernel(struct frames *f, const struct kernel_text *text)
{
	f->text = text;
	f->kernel.core_start = text->core.start;
	f->kernel.core_end = text->core.end;
}

void frames_free(struct frames *f)
{
	if (!f)
		return;
	images_free(f->images);
	kernel_functions_done(&f->kernel);
	recent_free(f->ids);
	recent_free(f->known);
	recent_free(f->symbols);
	keys_free(f->nodes);
	free(f->steps);
	code_free(f->code);
	free(f->states);
	free(f->waiting);
	free(f);
}

struct images *frames_images(struct frames *f)
{
	return f->images;
}

/* "[module+0xoffset]": a function of a stripped file has its place for a name. */
static char *place_name(const char *path, uint64_t start)
{
	const char *slash = strrchr(path, '/');

	return xasprintf("[%s+0x%" PRIx64 "]", slash ? slash + 1 : path, start);
}

static uint32_t symbol_id(struct frames *f, uint32_t module, const struct symbol *symbol)
{
	struct symbol_key key = {.module = module, .start = symbol->start, .name = hash_bytes(symbol->name, strlen(symbol->name))};
	uint64_t hash = hash_bytes(&key, sizeof(key));
	const uint32_t *known = recent_find(f->symbols, &hash);

	if (known)
		return *known;
	_cleanup_free_ char *place = !strcmp(symbol->name, SYMBOL_NAMELESS) ?
		place_name(images_get(f->images, module).path, symbol->start) : NULL;
	store_add_symbol(f->store, ++f->last_symbol, module, place ? place : symbol->name, symbol->file, symbol->start,
			 symbol->size);
	return *(uint32_t *)recent_add(f->symbols, &hash) = f->last_symbol;
}

/* The build id is known once the file has been read, that is with its first answer. */
static void identify(struct frames *f, uint32_t module)
{
	struct image_state *state = &f->states[module - 1];
	struct image image = images_get(f->images, module);
	uint8_t id[20];
	size_t len;

	if (state->identified || state->symbolizer_id < 0)
		return;
	state->identified = true;
	if (symbolizer_module_build_id(f->symbolizer, state->symbolizer_id, id, &len))
		store_put_module(f->store, module, image_kind_name(image.kind), image.path, id, len);
}

static void ask_for_code(struct frames *f, const struct code_function *function)
{
	const struct image_state *state = &f->states[function->module - 1];

	if (state->symbolizer_id >= 0 &&
	    symbolizer_request_code(f->symbolizer, state->symbolizer_id, function->start, function->size,
				    function->symbol) == 0)
		f->code_due++;
}

/* Code without a file has no function to be searched, but places with many samples. */
static void look_around(struct frames *f, const struct frame *frame, pid_t pid)
{
	uint8_t bytes[GENERATED_BYTES];
	uint64_t address = frame->address;

	if (!generated_code_sampled(&f->generated, frame->samples, pid, address, bytes))
		return;
	_cleanup_free_ char *name = place_name("jit", address);
	struct code_function place = {.module = frame->image, .start = address};
	place.symbol = symbol_id(f, place.module, &(struct symbol){.name = name, .start = address});
	code_place(f->code, &place);
	if (symbolizer_request_loops(f->symbolizer, bytes, sizeof(bytes), address - GENERATED_BEFORE, address, place.symbol) == 0)
		f->code_due++;
}

static void add_samples(struct frames *f, const struct frame *frame, uint32_t samples)
{
	struct code_function function = {
		.symbol = frame->symbol, .module = frame->image, .start = frame->start, .size = frame->size};

	if (code_sampled(f->code, &function, samples))
		ask_for_code(f, &function);
}

void frames_sampled(struct frames *f, uint32_t stack)
{
	struct node_key key;
	struct frame *frame;

	if (stack <= f->forgotten)
		return;
	memcpy(&key, keys_get(f->nodes, stack - f->forgotten - 1), sizeof(key));
	frame = recent_find(f->known, &key.frame);
	if (!frame)
		return;
	if (frame->symbol) {
		add_samples(f, frame, 1);
		return;
	}
	struct image image = images_get(f->images, frame->image);
	frame->samples++;
	if (image.kind == IMAGE_JIT)
		look_around(f, frame, (pid_t)image.pid);
}

void frames_code(struct frames *f, uint32_t symbol, const void *bytes, size_t len)
{
	f->code_due--;
	if (len)
		store_add_code(f->store, symbol, code_of(f->code, symbol).start, bytes, len);
}

void frames_callees(struct frames *f, uint32_t symbol, const struct symbol *symbols, size_t count)
{
	for (size_t i = 0; i < count; i++)
		symbol_id(f, code_of(f->code, symbol).module, &symbols[i]);
}

void frames_wait_loops(struct frames *f, uint32_t symbol, const struct wait_loop *loops, size_t count)
{
	static const char *const kinds[WAIT_LOOP_KINDS] = {
		[WAIT_LOOP_PAUSE] = "pause", [WAIT_LOOP_EXCHANGE] = "exchange", [WAIT_LOOP_LOAD] = "load"};

	for (size_t i = 0; i < count; i++)
		if (loops[i].kind < WAIT_LOOP_KINDS)
			store_add_wait_loop(f->store, symbol, loops[i].start, loops[i].end, kinds[loops[i].kind]);
}

uint32_t frames_code_due(const struct frames *f)
{
	return f->code_due;
}

/* An answer: inlined functions first, then the one they were compiled into. */
void frames_named(struct frames *f, uint32_t id, const struct symbol *symbols, size_t count)
{
	struct frame *frame = recent_find(f->known, &id);
	enum image_kind kind;

	if (f->unnamed)
		f->unnamed--;
	if (!frame)
		return;
	kind = images_get(f->images, frame->image).kind;
	identify(f, frame->image);
	if (kind == IMAGE_KERNEL && count == 1 && !symbols[0].line)
		kernel_functions_add(&f->kernel, symbols[0].start, symbols[0].size, id);
	for (size_t i = 0; i < count; i++) {
		const struct symbol *symbol = &symbols[i];
		uint32_t name = symbol_id(f, frame->image, symbol);

		if (symbol->inlined) {
			store_add_inlined(f->store, id, (uint32_t)i, name, symbol->line);
			continue;
		}
		store_name_frame(f->store, id, name, symbol->line);
		if (kind != IMAGE_ELF && kind != IMAGE_VDSO)
			continue;
		frame->symbol = name;
		frame->start = symbol->start;
		frame->size = symbol->size > UINT32_MAX ? 0 : (uint32_t)symbol->size;
		if (frame->samples)
			add_samples(f, frame, frame->samples);
	}
}

static bool ask(struct frames *f, const struct question *q)
{
	int r = symbolizer_request(f->symbolizer, q->module, q->address, q->frame);

	if (r < 0 && r != -EAGAIN)
		f->unnamed--;
	return r != -EAGAIN;
}

void frames_ask_again(struct frames *f)
{
	while (f->waiting_count && ask(f, &f->waiting[f->waiting_count - 1]))
		f->waiting_count--;
}

void frames_forget_images(struct frames *f)
{
	images_use(f->images, f->kernel_image);
	images_forget(f->images);
	for (uint32_t id = 1; id <= f->state_count; id++) {
		struct image_state *state = &f->states[id - 1];

		if (!images_has(f->images, id))
			state->symbolizer_id = -1;
		symbolizer_use(f->symbolizer, state->symbolizer_id);
	}
	for (uint32_t i = 0; i < f->waiting_count; i++)
		symbolizer_use(f->symbolizer, f->waiting[i].module);
	symbolizer_forget_unused(f->symbolizer);
}

static struct image_state *state_of(struct frames *f, uint32_t module)
{
	while (f->state_count < module) {
		uint32_t count = f->state_count ? f->state_count * 2 : 64;

		f->states = xrealloc(f->states, count * sizeof(*f->states));
		for (; f->state_count < count; f->state_count++)
			f->states[f->state_count] = (struct image_state){.symbolizer_id = -1};
	}
	return &f->states[module - 1];
}

/* The symbolizer opens the file now, at its first sample: later it may be gone. */
int frames_introduce(struct frames *f, uint32_t id, const struct process *p, const struct mapping *mapping)
{
	struct image module = images_get(f->images, id);

	switch (module.kind) {
	case IMAGE_KERNEL:
		return symbolizer_kernel(f->symbolizer);
	case IMAGE_VDSO:
		return symbolizer_vdso(f->symbolizer);
	case IMAGE_JIT:
		return symbolizer_perf_map(f->symbolizer, (pid_t)module.pid);
	case IMAGE_ELF:
		return symbolizer_elf(f->symbolizer, &(struct symbol_mapping){
			.pid = (pid_t)p->pid, .start = mapping->start, .end = mapping->end,
			.offset = mapping->offset, .path = module.path, .dev_major = module.major,
			.dev_minor = module.minor, .inode = module.inode});
	default:
		return -2;
	}
}

static struct image_state *use_module(struct frames *f, uint32_t id, const struct process *p,
				       const struct mapping *mapping)
{
	struct image_state *state = state_of(f, id);

	if (!state->written) {
		struct image module = images_get(f->images, id);

		state->written = true;
		store_put_module(f->store, id, image_kind_name(module.kind), module.path, NULL, 0);
	}
	/* Asked again for each process: one that is gone could not open its file, the next one can. */
	state->symbolizer_id = frames_introduce(f, id, p, mapping);
	return state;
}

static uint32_t frame_id(struct frames *f, uint32_t module, uint64_t address, const struct process *p,
			 const struct mapping *mapping)
{
	struct frame_key key = {.module = module, .low = (uint32_t)address, .high = (uint32_t)(address >> 32)};
	const uint32_t *known = recent_find(f->ids, &key);

	if (known)
		return *known;
	uint32_t id = ++f->last_frame;
	struct image_state *state = use_module(f, module, p, mapping);
	*(uint32_t *)recent_add(f->ids, &key) = id;
	*(struct frame *)recent_add(f->known, &id) = (struct frame){.image = module, .address = address};
	store_add_frame(f->store, id, module, address);
	if (state->symbolizer_id < 0)
		return id;
	struct question q = {.module = state->symbolizer_id, .frame = id, .address = address};
	f->unnamed++;
	if (!ask(f, &q)) {
		GROW(f->waiting, f->waiting_count, f->waiting_capacity);
		f->waiting[f->waiting_count++] = q;
	}
	return id;
}

static uint32_t user_frame(struct frames *f, struct process *p, struct mappings *mappings, uint64_t address,
			   uint64_t now_ns)
{
	struct mapping *mapping = mappings_find(mappings, address);

	if (!mapping) {
		/* Nothing executable is known there: the place itself still tells one unknown from another. */
		uint32_t unknown = images_id(f->images, &(struct image){
			.kind = IMAGE_UNKNOWN, .path = "[unknown]", .pid = p->pid, .process = p->id});

		return frame_id(f, unknown, address, p, NULL);
	}
	struct image module = images_get(f->images, mapping->module);
	if (!mapping->stored) {
		mapping->stored = true;
		store_add_mapping(f->store, p->id, mapping->start, mapping->end, mapping->offset,
				  mapping->module, now_ns);
	}
	if (module.kind == IMAGE_ELF || module.kind == IMAGE_VDSO)
		address = address - mapping->start + mapping->offset;
	return frame_id(f, mapping->module, address, p, mapping);
}

uint32_t frames_push(struct frames *f, uint32_t parent, uint32_t frame)
{
	struct node_key key = {.parent = parent, .frame = frame};
	bool is_new;

	if (keys_count(f->nodes) == MOST_NODES) {
		f->forgotten += MOST_NODES;
		store_end_stacks(f->store, f->forgotten);
		keys_clear(f->nodes);
		memset(f->steps, 0, STEPS * sizeof(*f->steps));
	}
	uint32_t id = f->forgotten + keys_id(f->nodes, &key, &is_new) + 1;
	if (is_new)
		store_add_stack(f->store, id, parent, frame);
	return id;
}

/* A frame that stands for what is not known below the others. */
uint32_t frames_marker(struct frames *f, const char *words)
{
	struct image image = {.kind = IMAGE_UNKNOWN, .path = "[truncated]"};
	_cleanup_free_ char *name = xasprintf("[%s]", words);
	uint32_t module = images_id(f->images, &image), last = f->last_frame;
	uint32_t id = frame_id(f, module, hash_bytes(words, strlen(words)), NULL, NULL);

	if (id > last) {
		struct symbol symbol = {.name = name};

		store_name_frame(f->store, id, symbol_id(f, module, &symbol), 0);
	}
	return frames_push(f, 0, id);
}

static struct step *step_at(const struct frames *f, uint32_t space, uint32_t parent, uint64_t address)
{
	return &f->steps[hash_u64(address ^ (uint64_t)parent << 32 ^ (uint64_t)space << 48) & (STEPS - 1)];
}

static bool is_step(const struct step *s, uint32_t space, uint32_t parent, uint64_t address)
{
	return s->node && s->address == address && s->parent == parent && s->space == space;
}

uint32_t frames_native(struct frames *f, uint32_t parent, struct process *p, struct mappings *mappings,
		       uint64_t address, uint64_t now_ns)
{
	uint32_t space = mappings_space(mappings); /* another one as soon as a mapping changes */
	struct step *s = step_at(f, space, parent, address);
	uint32_t node;

	if (space && is_step(s, space, parent, address))
		return s->node;
	node = frames_push(f, parent, user_frame(f, p, mappings, address, now_ns));
	if (space && mappings_find(mappings, address)) /* what is not known is each process's own */
		*s = (struct step){.address = address, .space = space, .parent = parent, .node = node};
	return node;
}

uint32_t frames_interpreted(struct frames *f, const struct interpreted *function, uint32_t line)
{
	struct image image = {.kind = IMAGE_PYTHON, .path = function->file};
	uint32_t module = images_id(f->images, &image), last = f->last_frame;
	uint32_t id = frame_id(f, module, (uint64_t)function->id << 32 | line, NULL, NULL);

	if (id > last) {
		struct symbol symbol = {.name = function->name, .file = function->file, .start = function->first_line};

		store_name_frame(f->store, id, symbol_id(f, module, &symbol), line);
	}
	return id;
}

uint32_t frames_user(struct frames *f, uint32_t parent, struct process *p, struct mappings *mappings,
		     const uint64_t *addresses, size_t depth, uint64_t now_ns)
{
	/* All but the innermost are return addresses: the call is just before them. */
	for (size_t i = depth; i-- > 0;)
		parent = frames_native(f, parent, p, mappings, addresses[i] - (i > 0), now_ns);
	return parent;
}

static uint32_t kernel_step(struct frames *f, uint32_t parent, uint64_t address)
{
	struct step *s = step_at(f, 0, parent, address);

	if (!is_step(s, 0, parent, address)) {
		uint32_t known = kernel_functions_find(&f->kernel, address);
		uint32_t node = frames_push(f, parent, known ? known : frame_id(f, f->kernel_image, address, NULL, NULL));

		*s = (struct step){.address = address, .parent = parent, .node = node};
	}
	return s->node;
}

uint32_t frames_kernel(struct frames *f, uint32_t parent, const uint64_t *addresses, size_t depth)
{
	size_t late = f->text ? kernel_text_late(f->text, addresses, depth) : 0;

	for (size_t i = depth; i-- > late;)
		parent = kernel_step(f, parent, addresses[i] - (i > 0));
	return parent;
}

uint32_t frames_unnamed(const struct frames *f)
{
	return f->unnamed;
}
