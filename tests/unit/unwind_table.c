// SPDX-License-Identifier: BSD-2-Clause
/* Unwind tables against libdw's reading of the same files, their image on disk, hostile files. */
#include "check.h"

#include <elfutils/libdw.h>
#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <sys/auxv.h>

#include "buf.h"
#include "fail.h"
#include "io.h"
#include "unwind_expr.h"
#include "unwind_table.h"

#define SAMPLES 5000 /* addresses of each file */

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* An expression of libdw's, spelled out again where it is simple enough to compare. */
static bool same_cfa(const struct unwind_table *t, const struct unwind_rule *rule, Dwarf_Frame *frame)
{
	Dwarf_Op *ops;
	size_t count, len;

	if (dwarf_frame_cfa(frame, &ops, &count) < 0)
		return rule->cfa == UNWIND_CFA_UNSUPPORTED;
	if (rule->cfa == UNWIND_CFA_REGISTER)
		return count == 1 && ops[0].atom == DW_OP_bregx && ops[0].number == rule->cfa_reg &&
		       (int64_t)ops[0].number2 == rule->cfa_value;
	if (rule->cfa == UNWIND_CFA_EXPRESSION) {
		const uint8_t *code = unwind_table_expr(t, rule->cfa_value, &len);

		return count && len && code[0] == ops[0].atom &&
		       unwind_expr_check(code, len, UNWIND_X86_64_REGS);
	}
	return false;
}

static const struct unwind_save *save_of(const struct unwind_rule *rule, unsigned reg)
{
	for (unsigned i = 0; i < rule->saves; i++)
		if (rule->save[i].reg == reg)
			return &rule->save[i];
	return NULL;
}

static bool same_save(const struct unwind_rule *rule, unsigned reg, Dwarf_Frame *frame)
{
	const struct unwind_save *s = save_of(rule, reg);
	Dwarf_Op memory[3], *ops;
	int64_t offset;
	size_t count;

	if (dwarf_frame_register(frame, (int)reg, memory, &ops, &count))
		return false;
	if (!count) /* said to be undefined (libdw: also when nothing is said), or unchanged */
		return s ? s->how == UNWIND_HOW_UNDEFINED && ops == memory : true;
	if (ops[0].atom != DW_OP_call_frame_cfa) /* libdw gives the DW_CFA_*expression itself */
		return s && (s->how == UNWIND_HOW_AT_EXPRESSION || s->how == UNWIND_HOW_IS_EXPRESSION ||
			     (s->how == UNWIND_HOW_REGISTER && (uint64_t)s->value == ops[0].number));
	offset = count > 1 && ops[1].atom == DW_OP_plus_uconst ? (int64_t)ops[1].number : 0;
	if (ops[count - 1].atom == DW_OP_stack_value) /* the stack pointer's rule when none is given */
		return s ? s->how == UNWIND_HOW_IS_CFA && s->value == offset
			 : reg == UNWIND_RSP && !offset;
	if (s && (s->how == UNWIND_HOW_AT_EXPRESSION || s->how == UNWIND_HOW_IS_EXPRESSION))
		return true;
	return s && s->how == UNWIND_HOW_AT_CFA && s->value == offset;
}

/* Alignment in front of a function may have its neighbour's rule: nothing ever runs there. */
static bool is_padding(uint64_t address, Dwarf_CFI *cfi)
{
	for (uint64_t at = address + 1; at < address + 16; at++) {
		_cleanup_free_ Dwarf_Frame *frame = NULL;

		if (!dwarf_cfi_addrframe(cfi, at, &frame))
			return true;
	}
	return false;
}

static bool same_rule(const struct unwind_table *t, uint64_t address, Dwarf_CFI *cfi)
{
	const struct unwind_rule *rule = unwind_table_find(t, address);
	_cleanup_free_ Dwarf_Frame *frame = NULL;

	if (dwarf_cfi_addrframe(cfi, address, &frame))
		return !rule || is_padding(address, cfi);
	if (!rule || !same_cfa(t, rule, frame))
		return false;
	for (unsigned reg = 0; reg < UNWIND_X86_64_REGS; reg++)
		if (!same_save(rule, reg, frame))
			return false;
	return true;
}

/* Compares at random addresses of the executable segments; how many differ. */
static unsigned differences(const struct unwind_table *t, Elf *elf, Dwarf_CFI *cfi, unsigned *ret_rows)
{
	uint64_t state = 88172645463325252;
	unsigned bad = 0;
	size_t count = 0;

	elf_getphdrnum(elf, &count);
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
			continue;
		for (unsigned n = 0; n < SAMPLES; n++) {
			uint64_t address = ph.p_vaddr + random_next(&state) % ph.p_memsz;

			*ret_rows += unwind_table_find(t, address) != NULL;
			if (same_rule(t, address, cfi))
				continue;
			if (!bad++)
				fprintf(stderr, "  first difference at %lx\n", address);
		}
	}
	return bad;
}

static void test_file(const char *path)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned rows = 0;
	Dwarf_CFI *cfi;
	Elf *elf;

	if (fd < 0)
		return; /* not every machine has all of them */
	CHECK(unwind_table_build(fd, NULL, &t) == 0);
	if (!t)
		return;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	cfi = dwarf_getcfi_elf(elf);
	CHECK(cfi != NULL);
	if (cfi) {
		CHECK(differences(t, elf, cfi, &rows) == 0);
		/* Debian's node is a launcher of a few functions. */
		CHECK(rows > (unwind_table_info(t)->rows > 1000 ? SAMPLES / 4 : 0));
		CHECK(unwind_table_info(t)->unsupported == 0);
	}
	if (check_failed)
		fprintf(stderr, "  in %s\n", path);
	dwarf_cfi_end(cfi);
	elf_end(elf);
}

static void test_files(void)
{
	static const char *const paths[] = {
		"/proc/self/exe", "/usr/lib/x86_64-linux-gnu/libc.so.6",
		"/lib64/ld-linux-x86-64.so.2", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/bin/redis-server",
		"/usr/bin/python3.11", "/usr/bin/node", "/usr/lib/postgresql/15/bin/postgres",
		"/usr/lib/x86_64-linux-gnu/libgmp.so.10",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		test_file(paths[i]);
}

static void test_vdso(void)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	uint64_t bias;
	const void *image = (const void *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);

	if (!image)
		return;
	CHECK(unwind_table_build_memory(image, 8192, &t) == 0);
	CHECK(t && unwind_table_info(t)->rows > 10 && unwind_table_info(t)->build_id_len == 20);
	CHECK(t && unwind_table_bias(t, 0x7fff00001000, 0, &bias) && bias == 0x7fff00001000);
}

/* Any one changed byte and any lost end of the image is noticed. */
static void test_image(void)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL, *again = NULL;
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *copy = NULL;
	unsigned accepted = 0, different = 0;
	struct unwind_table *damaged;
	const void *image;
	size_t len;

	CHECK(unwind_table_build(fd, NULL, &t) == 0);
	image = unwind_table_image(t, &len);
	CHECK(unwind_table_load(image, len, &again) == 0);
	for (uint64_t a = 0; again && a < 65536; a++) {
		const struct unwind_rule *x = unwind_table_find(t, a), *y = unwind_table_find(again, a);

		different += !x != !y || (x && memcmp(x, y, sizeof(*x) + x->saves * 4));
	}
	CHECK(different == 0);
	copy = malloc(len);
	memcpy(copy, image, len);
	for (size_t i = 0; i < len; i++) {
		copy[i] ^= (char)(1 << i % 8);
		if (unwind_table_load(copy, len, &damaged) != -EBADMSG)
			accepted++;
		copy[i] ^= (char)(1 << i % 8);
	}
	for (size_t i = 0; i < len; i += 7)
		accepted += unwind_table_load(copy, i, &damaged) != -EBADMSG;
	CHECK(accepted == 0);
}

/* Cut anywhere or with any bytes changed: an error or a table, never a crash. */
static void test_hostile(void)
{
	_cleanup_(buf_done) struct buf file = BUF_INIT;
	uint64_t state = 2463534242;
	unsigned answers = 0;

	CHECK(read_file("/proc/self/exe", 64 << 20, &file) == 0);
	for (unsigned round = 0; round < 600; round++) {
		_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
		_cleanup_free_ char *copy = malloc(file.len);
		size_t len = round % 3 ? file.len : random_next(&state) % file.len;
		int r;

		memcpy(copy, file.data, file.len);
		for (unsigned i = 0; i < round % 200; i++) {
			size_t reach = i % 2 && len > 1024 ? 1024 : len; /* half of it in the headers */

			copy[reach ? random_next(&state) % reach : 0] = (char)random_next(&state);
		}
		r = unwind_table_build_memory(copy, len, &t);
		answers += r < 0 ? !t && *fail_message() : t != NULL;
	}
	CHECK(answers == 600);
}

static void test_refused(void)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	_cleanup_(buf_done) struct buf file = BUF_INIT;
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr *eh;
	Elf64_Phdr *ph;

	CHECK(unwind_table_build(null, NULL, &t) == -ENOEXEC);
	CHECK(unwind_table_build(-1, NULL, &t) == -EBADF);
	CHECK(read_file("/proc/self/exe", 64 << 20, &file) == 0);
	eh = (void *)file.data;
	eh->e_machine = EM_AARCH64;
	CHECK(unwind_table_build_memory(file.data, file.len, &t) == -ENOTSUP);
	eh->e_machine = EM_X86_64;
	ph = (void *)(file.data + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_flags & PF_X)
			ph[i].p_memsz = 5ull << 30;
	CHECK(unwind_table_build_memory(file.data, file.len, &t) == -EFBIG);
	CHECK_STR(fail_message(), "unwind table: code spans 4 GB or more");
}

static Elf64_Shdr *section(const struct buf *file, const char *name)
{
	Elf64_Ehdr *eh = (void *)file->data;
	Elf64_Shdr *sh = (void *)(file->data + eh->e_shoff);

	for (int i = 0; i < eh->e_shnum; i++)
		if (!strcmp(file->data + sh[eh->e_shstrndx].sh_offset + sh[i].sh_name, name))
			return &sh[i];
	return NULL;
}

/* Sections that claim more than there is, or more than is sensible. */
static void test_sizes(void)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	_cleanup_(buf_done) struct buf file = BUF_INIT;
	Elf64_Shdr *eh;

	CHECK(read_file("/proc/self/exe", 64 << 20, &file) == 0);
	eh = section(&file, ".eh_frame");
	CHECK(eh != NULL);
	if (!eh)
		return;
	eh->sh_size = 4ull << 30;
	CHECK(unwind_table_build_memory(file.data, file.len, &t) == -EFBIG);
	CHECK_STR(fail_message(), "unwind table: .eh_frame of 4294967296 bytes");
	eh->sh_size = file.len;
	CHECK(unwind_table_build_memory(file.data, file.len, &t) == -ENOEXEC);
	CHECK_STR(fail_message(), "unwind table: .eh_frame lies outside the file");
	eh->sh_size = 100;
	eh->sh_offset = UINT64_MAX - 50;
	CHECK(unwind_table_build_memory(file.data, file.len, &t) == -ENOEXEC);
}

/* Without section headers the program headers lead to the same rows. */
static void test_no_sections(void)
{
	_cleanup_(unwind_table_freep) struct unwind_table *with = NULL, *without = NULL;
	_cleanup_(buf_done) struct buf file = BUF_INIT;
	Elf64_Ehdr *eh;

	CHECK(read_file("/proc/self/exe", 64 << 20, &file) == 0);
	CHECK(unwind_table_build_memory(file.data, file.len, &with) == 0);
	eh = (void *)file.data;
	eh->e_shoff = 0;
	eh->e_shnum = eh->e_shstrndx = 0;
	CHECK(unwind_table_build_memory(file.data, file.len, &without) == 0);
	CHECK(with && without && unwind_table_info(with)->rows > 100 &&
	      unwind_table_info(with)->rows == unwind_table_info(without)->rows);
}

static bool read_nothing(void *arg, uint64_t address, uint64_t *ret_value)
{
	*ret_value = address + 1;
	return address < 1000;
}

static void test_expressions(void)
{
	/* A PLT's rule: 8 more once the slot's 11th byte is reached. */
	static const uint8_t plt[] = {DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and,
				      DW_OP_lit11, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus};
	static const uint8_t endless[] = {DW_OP_skip, 0xfd, 0xff};
	static const uint8_t grows[] = {DW_OP_lit1, DW_OP_skip, 0xfc, 0xff};
	static const uint8_t empty_pop[] = {DW_OP_plus};
	static const uint8_t zero[] = {DW_OP_lit1, DW_OP_lit0, DW_OP_div};
	static const uint8_t deref[] = {DW_OP_breg7, 0, DW_OP_deref, DW_OP_plus_uconst, 8};
	static const uint8_t rotate[] = {DW_OP_lit1, DW_OP_lit2, DW_OP_lit3, DW_OP_rot, DW_OP_drop,
					 DW_OP_minus}; /* 3 1 2 -> 3 1 -> 2 */
	struct unwind_regs r = {.known = 0};
	uint64_t value;

	unwind_regs_set(&r, UNWIND_RSP, 0x100);
	unwind_regs_set(&r, UNWIND_RIP, 0x1010);
	CHECK(!unwind_expr_eval(plt, sizeof(plt), &r, NULL, read_nothing, NULL, &value) && value == 0x108);
	unwind_regs_set(&r, UNWIND_RIP, 0x101b);
	CHECK(!unwind_expr_eval(plt, sizeof(plt), &r, NULL, read_nothing, NULL, &value) && value == 0x110);
	CHECK(!unwind_expr_eval(deref, sizeof(deref), &r, NULL, read_nothing, NULL, &value) && value == 0x109);
	CHECK(!unwind_expr_eval(rotate, sizeof(rotate), &r, NULL, read_nothing, NULL, &value) && value == 2);
	CHECK(unwind_expr_eval(endless, 3, &r, NULL, read_nothing, NULL, &value) == -EINVAL);
	CHECK(unwind_expr_eval(grows, 4, &r, NULL, read_nothing, NULL, &value) == -EINVAL);
	CHECK(unwind_expr_eval(empty_pop, 1, &r, NULL, read_nothing, NULL, &value) == -EINVAL);
	CHECK(unwind_expr_eval(zero, 3, &r, NULL, read_nothing, NULL, &value) == -EINVAL);
	CHECK(unwind_expr_eval(plt, 1, &r, NULL, read_nothing, NULL, &value) == -EINVAL);
	r.known = 0;
	CHECK(unwind_expr_eval(deref, sizeof(deref), &r, NULL, read_nothing, NULL, &value) == -ENODATA);
	CHECK(unwind_expr_check(plt, sizeof(plt), UNWIND_X86_64_REGS));
	CHECK(!unwind_expr_check(plt, sizeof(plt), 16) && !unwind_expr_check(plt, 1, 17));
}

int main(void)
{
	test_expressions();
	test_files();
	test_vdso();
	test_image();
	test_hostile();
	test_refused();
	test_sizes();
	test_no_sections();
	return check_done("unwind_table");
}
