// SPDX-License-Identifier: BSD-2-Clause
#include "check.h"

#include <errno.h>
#include <stdlib.h>

#include "annotate.h"
#include "clock.h"
#include "fail.h"
#include "mem.h"
#include "store_query.h"
#include "store_write.h"

#define START 0x1000

/* push, mov, then a loop: add, jne to the add; call START + 0x100, ret, and the first byte of a longer one. */
static const uint8_t x86[] = {0x55, 0x48, 0x89, 0xe5, 0x83, 0xc0, 0x01, 0x75, 0xfb, 0xe8, 0xf2, 0x00, 0x00,
			      0x00, 0xc3, 0x0f};
/* add, b.ne to the add, bl START + 0x100, ret, and half of one. */
static const uint8_t arm64[] = {0x00, 0x04, 0x00, 0x91, 0xe1, 0xff, 0xff, 0x54, 0x3e, 0x00, 0x00, 0x94,
				0xc0, 0x03, 0x5f, 0xd6, 0xc0, 0x03};

/* Functions 1 ("Spin") and 2 ("spinner") of /bin/x, 3 ("spinner") of /lib/y, 4 of the kernel; samples of the first, by
 * process 10 in slice 1 and process 20 in slice 2, at START + 4 and + 5 * (1 + inlined), and outside of it. */
static struct store *filled(const char *machine, const void *code, size_t len)
{
	struct store *s = NULL;

	CHECK(store_create(":memory:", &s) == 0);
	CHECK(store_begin(s) == 0);
	store_set_text(s, "machine", machine);
	store_add_metric(s, 1, "cpu.time", "ns", "");
	for (uint32_t i = 1; i <= 2; i++) {
		store_add_slice(s, i, (i - 1) * NS_PER_S, i * NS_PER_S);
		store_put_process(s, &(struct process_row){.id = i, .pid = 10 * i, .comm = "p"});
		store_put_task(s, &(struct task_row){.id = i, .process = i, .tid = 10 * i, .comm = "t"});
	}
	store_put_module(s, 1, "elf", "/bin/x", NULL, 0);
	store_put_module(s, 2, "elf", "/lib/y", NULL, 0);
	store_put_module(s, 3, "kernel", "[kernel]", NULL, 0);
	store_add_symbol(s, 1, 1, "Spin", "x.c", START, len);
	store_add_symbol(s, 2, 1, "spinner", NULL, START + 0x100, 16);
	store_add_symbol(s, 3, 2, "spinner", NULL, START, 16);
	store_add_symbol(s, 4, 3, "kernel_work", NULL, 0, 0);
	store_add_symbol(s, 5, 1, "tiny", "x.h", 0, 0);
	store_add_code(s, 1, START, code, len);
	for (uint32_t i = 1; i <= 3; i++) {
		store_add_frame(s, i, 1, (const uint64_t[]){START + 4, START + 8, START + 0x5000}[i - 1]);
		store_name_frame(s, i, 1, 40 + i);
		store_add_stack(s, i, 0, i);
	}
	store_add_inlined(s, 2, 0, 5, 7);
	store_add_stack(s, 4, 1, 3); /* what is called from an instruction is not its own */
	store_add_sample(s, &(struct sample_row){.slice = 1, .metric = 1, .task = 1, .stack = 1, .count = 6, .value = 60});
	store_add_sample(s, &(struct sample_row){.slice = 2, .metric = 1, .task = 2, .stack = 1, .count = 1, .value = 10});
	store_add_sample(s, &(struct sample_row){.slice = 2, .metric = 1, .task = 2, .stack = 2, .count = 2, .value = 20});
	store_add_sample(s, &(struct sample_row){.slice = 2, .metric = 1, .task = 2, .stack = 4, .count = 1, .value = 10});
	store_add_sample(s, &(struct sample_row){.slice = 2, .metric = 1, .task = 2, .count = 5, .value = 50});
	CHECK(store_commit(s) == 0);
	return s;
}

static const struct annotated *row_of(const struct annotation *a, uint64_t address)
{
	static const struct annotated none = {.mnemonic = "", .operands = ""};

	for (size_t i = 0; i < a->count; i++)
		if (a->rows[i].address == address)
			return &a->rows[i];
	return &none;
}

static void check_whole(const struct annotation *a, size_t len)
{
	uint64_t next = a->address;

	for (size_t i = 0; i < a->count; i++) {
		if (a->rows[i].address != next || !a->rows[i].size)
			break;
		next += a->rows[i].size;
	}
	CHECK(next == a->address + len && a->size == len);
}

static struct annotation *annotate_one(struct store *s, const char *symbol, bool intel)
{
	struct annotation *a = NULL;

	CHECK(annotation_new(s, &(struct annotate_options){.symbol = symbol, .intel = intel}, &a) == 0);
	return a;
}

static void test_x86(void)
{
	_cleanup_(store_freep) struct store *s = filled("x86_64", x86, sizeof(x86));
	_cleanup_(annotation_freep) struct annotation *a = annotate_one(s, "Spin", false), *intel = annotate_one(s, "Spin", true);

	if (!a || !intel)
		return;
	check_whole(a, sizeof(x86));
	CHECK(a->count == 7);
	CHECK_STR(a->rows[0].mnemonic, "pushq");
	CHECK_STR(a->rows[1].operands, "%rsp, %rbp");
	CHECK_STR(intel->rows[0].mnemonic, "push");
	CHECK_STR(intel->rows[1].operands, "rbp, rsp");
	const struct annotated *add = row_of(a, START + 4), *jump = row_of(a, START + 7), *call = row_of(a, START + 9);
	CHECK(add->samples == 7 && add->ns == 70 && add->line == 41 && add->jumped_to);
	CHECK_STR(add->file, "x.c");
	/* In the middle of an instruction, and inlined: the innermost function's line. */
	CHECK(jump->samples == 2 && jump->line == 7 && jump->target.inside && jump->target.address == START + 4);
	CHECK_STR(jump->file, "x.h");
	CHECK(call->target.known && !call->target.inside && call->target.address == START + 0x100 && !call->samples);
	CHECK(call->target.name && !strcmp(call->target.name, "spinner"));
	CHECK(!a->rows[0].jumped_to && !a->rows[0].target.known && !a->rows[0].line);
	CHECK_STR(a->rows[6].mnemonic, ".byte");
	CHECK_STR(a->rows[6].operands, "0x0f");
	CHECK(a->samples == 10 && a->ns == 100 && a->all_samples == 15 && a->all_ns == 150);
}

static void test_arm64(void)
{
	_cleanup_(store_freep) struct store *s = filled("aarch64", arm64, sizeof(arm64));
	_cleanup_(annotation_freep) struct annotation *a = annotate_one(s, "Spin", false);

	if (!a)
		return;
	check_whole(a, sizeof(arm64));
	CHECK(a->count == 5);
	CHECK_STR(a->rows[0].mnemonic, "add");
	CHECK(a->rows[0].jumped_to && a->rows[1].target.inside && a->rows[1].target.address == START);
	CHECK(a->rows[1].samples == 7 && a->rows[2].samples == 2);
	CHECK_STR(a->rows[2].mnemonic, "bl");
	CHECK(a->rows[2].target.address == START + 0x100);
	CHECK(a->rows[2].target.name && !strcmp(a->rows[2].target.name, "spinner"));
	CHECK_STR(a->rows[3].mnemonic, "ret");
	CHECK_STR(a->rows[4].mnemonic, ".byte");
	CHECK_STR(a->rows[4].operands, "0x03c0");
}

static void test_selection(void)
{
	_cleanup_(store_freep) struct store *s = filled("x86_64", x86, sizeof(x86));

	CHECK(store_select(s, &(struct selection){.pid = 20}) == 0);
	_cleanup_(annotation_freep) struct annotation *a = annotate_one(s, "Spin", false);
	if (a)
		CHECK(row_of(a, START + 4)->samples == 1 && a->samples == 4 && a->all_samples == 9);
	CHECK(store_select(s, &(struct selection){.to_ns = NS_PER_S}) == 0);
	_cleanup_(annotation_freep) struct annotation *first = annotate_one(s, "Spin", false);
	if (first)
		CHECK(row_of(first, START + 4)->samples == 6 && first->all_samples == 6 && !row_of(first, START + 7)->samples);
}

/* The second one's file was known under another id when it came again. */
static void test_again(void)
{
	_cleanup_(store_freep) struct store *s = filled("x86_64", x86, sizeof(x86));
	static const uint8_t id[20] = {1};

	CHECK(store_begin(s) == 0);
	store_put_module(s, 1, "elf", "/bin/x", id, sizeof(id));
	store_put_module(s, 4, "elf", "/bin/x", id, sizeof(id));
	store_put_module(s, 5, "elf", "/bin/x", (const uint8_t[20]){2}, sizeof(id));
	for (uint32_t i = 0; i < 3; i++) {
		store_add_symbol(s, 6 + i, (const uint32_t[]){1, 4, 5}[i], "Spin", "x.c", START, sizeof(x86));
		store_add_frame(s, 6 + i, (const uint32_t[]){1, 4, 5}[i], START + 4);
		store_name_frame(s, 6 + i, 6 + i, 41);
		store_add_stack(s, 6 + i, 0, 6 + i);
		store_add_sample(s, &(struct sample_row){.slice = 2, .metric = 1, .task = 2, .stack = 6 + i, .count = 100, .value = 1});
	}
	CHECK(store_commit(s) == 0);
	_cleanup_(annotation_freep) struct annotation *a = annotate_one(s, "Spin", false);
	if (a)
		CHECK(row_of(a, START + 4)->samples == 207 && !strcmp(a->rows[0].mnemonic, "pushq"));
}

static void refused(struct store *s, const char *symbol, const char *module, int wanted, const char *words)
{
	struct annotation *a = NULL;
	int r = annotation_new(s, &(struct annotate_options){.symbol = symbol, .module = module}, &a);

	CHECK(r == wanted && !a);
	if (!strstr(fail_message(), words))
		fprintf(stderr, "%s: %s\n", symbol, fail_message());
	CHECK(strstr(fail_message(), words) != NULL);
	annotation_free(a);
}

static void test_names(void)
{
	_cleanup_(store_freep) struct store *s = filled("x86_64", x86, sizeof(x86));
	_cleanup_(annotation_freep) struct annotation *part = annotate_one(s, "pin", false), *but_case = annotate_one(s, "SPIN", false);

	/* "pin" is part of others, too, but only one of them ran. */
	CHECK(part && !strcmp(part->name, "Spin") && but_case && !strcmp(but_case->name, "Spin"));
	refused(s, "nothing", NULL, -ENOENT, "no function 'nothing' is in it");
	refused(s, "Spin", "/none", -ENOENT, "no function 'Spin' of a module like /none is in it");
	refused(s, "spinner", NULL, -ENOTUNIQ, "'spinner' fits 2 functions (--module or -p tells them apart): spinner (/");
	refused(s, "spinner", "/lib/y", -ENODATA, "the code of spinner is not in it: that takes three CPU samples");
	refused(s, "kernel_work", NULL, -ENODATA, "kernel code is not kept");
}

static void test_hostile(void)
{
	static const char *const machines[] = {"x86_64", "aarch64"};
	_cleanup_free_ uint8_t *bytes = xcalloc(1, (64 << 10) + 1);
	uint32_t seed = 1;

	for (size_t i = 0; i < 64 << 10; i++)
		bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		for (size_t len = 1; len <= 64 << 10; len = len * 3 + 1) {
			_cleanup_(store_freep) struct store *s = filled(machines[i], bytes + len % 1000 * (len < 60000), len);
			_cleanup_(annotation_freep) struct annotation *a = annotate_one(s, "Spin", i);

			if (a)
				check_whole(a, len);
		}
	_cleanup_(store_freep) struct store *large = filled("x86_64", bytes, (64 << 10) + 1);
	refused(large, "Spin", NULL, -EBADMSG, "the code of Spin is 65537 bytes long");
	_cleanup_(store_freep) struct store *empty = filled("x86_64", bytes, 0);
	refused(empty, "Spin", NULL, -ENODATA, "the code of Spin is not in it");
	_cleanup_(store_freep) struct store *strange = filled("s390x\033", x86, sizeof(x86));
	refused(strange, "Spin", NULL, -ENOTSUP, "not of s390x");
}

/* Addresses at the end of the number range: nothing may wrap around into the function. */
static void test_last_address(void)
{
	_cleanup_(store_freep) struct store *s = filled("x86_64", x86, sizeof(x86));

	CHECK(store_begin(s) == 0);
	store_add_code(s, 1, UINT64_MAX - 3, x86, sizeof(x86));
	CHECK(store_commit(s) == 0);
	_cleanup_(annotation_freep) struct annotation *a = annotate_one(s, "Spin", false);
	if (a)
		check_whole(a, sizeof(x86));
}

int main(void)
{
	test_x86();
	test_arm64();
	test_selection();
	test_again();
	test_names();
	test_hostile();
	test_last_address();
	return check_done("annotate");
}
