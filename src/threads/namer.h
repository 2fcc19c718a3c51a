/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of functions and variables: places are collected, and named all at once. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "space.h"
#include "symbolizer.h"

struct namer;

/* `unwound` gets the answers to symbolizer_unwind(). */
int namer_new(struct arena *memory, unwound_handler *unwound, void *arg, struct namer **ret);
void namer_free(struct namer *n);
struct symbolizer *namer_symbolizer(struct namer *n);

/* Each returns the place's number. For a caller's frame, give the return address minus one. */
uint32_t namer_kernel(struct namer *n, uint64_t address);
uint32_t namer_function(struct namer *n, const struct space *s, uint64_t address);
uint32_t namer_variable(struct namer *n, const struct space *s, uint64_t address);

/* The symbolizer's number of a mapping's module; negative when it has none. */
int namer_module(struct namer *n, const struct space *s, const struct space_mapping *m);

struct python_places;
/* Asks where CPython keeps what its stacks are found by, and waits for the answer. False: the mapping's file is none, or does
 * not tell. */
bool namer_python(struct namer *n, const struct space *s, const struct space_mapping *m, struct python_places *ret);

void namer_finish(struct namer *n); /* waits for names, within bounds */

/* After namer_finish(). Functions: their name, or "[file+0x12]". Variables: "name+0x12"; NULL:
 * unknown. */
const char *namer_name(const struct namer *n, uint32_t place);

DEFINE_CLEANUP(struct namer *, namer_free)
