/* SPDX-License-Identifier: BSD-2-Clause */
/* Which processes run CPython, and where it keeps its stacks: found by the name of the file that is
 * mapped, by symbols that the parser child reads, and told to the kernel side. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "python_code.h"
#include "wire.h"

struct images;
struct mapping;
struct process;
struct symbol;
struct symbolizer;

struct python_processes;

struct python_processes *python_processes_new(struct images *images, struct symbolizer *symbolizer);
void python_processes_free(struct python_processes *pp);
void python_processes_set_map(struct python_processes *pp,
			      int fd); /* of the kernel side; not owned */

void python_processes_mapped(struct python_processes *pp, struct process *p,
			     const struct mapping *m);
/* Its mappings have come from elsewhere: cheap when that is known already. */
void python_processes_check(struct python_processes *pp, struct process *p);
/* It has ended, or runs another program. */
void python_processes_forget(struct python_processes *pp, struct process *p);

/* Questions to the symbolizer have a number with this bit; the answers belong here. */
enum { PYTHON_QUESTION = 1u << 31 };
void python_processes_answer(struct python_processes *pp, uint32_t question,
			     const struct symbol *symbols, size_t count);

bool python_processes_due(const struct python_processes *pp); /* something was asked, and no answer has come */
/* As it was told to the kernel side. False: it was not. */
bool python_processes_get(const struct python_processes *pp, const struct process *p, struct python_process *ret);

/* The code of the interpreter's loop, in offsets of its image. */
struct python_loop {
	uint32_t image;
	uint64_t start, end;
};
bool python_processes_loop(const struct python_processes *pp, const struct process *p,
			   struct python_loop *ret_loop);
uint8_t python_processes_lines_format(const struct python_processes *pp, const struct process *p);
