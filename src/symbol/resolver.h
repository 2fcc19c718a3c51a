/* SPDX-License-Identifier: BSD-2-Clause */
/* A kind of module in the child: how it is read, and how an address in it is named. A new
 * kind is one file with one of these, and one word in child.c's list. */
#pragma once
#include <stdint.h>

#include "answer.h"

struct file_service;

struct module_request {
	const struct record_module *record;
	int fd; /* taken; -1: the file could not be opened */
	struct file_service *files;
	/* Filled in by load(): */
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t build_id_len;
	uint32_t symbols;
};

struct resolver {
	void *(*load)(struct module_request *request); /* NULL: nothing can be named */
	void (*resolve)(void *state, uint64_t offset, struct answer *answer);
	void (*free)(void *state);
	/* Machine code of this machine's kind in the file, all of it; NULL: none. May be left out with the next. */
	const void *(*code)(void *state, uint64_t offset, uint64_t size);
	/* The function that begins there, by the symbol table alone. */
	bool (*function)(void *state, uint64_t offset, struct found *ret);
	/* Gives back memory of files, which comes again from the page cache. May be left out. */
	void (*rest)(void *state);
};

extern const struct resolver resolver_elf, resolver_kernel, resolver_perf_map, resolver_python, resolver_marks;
