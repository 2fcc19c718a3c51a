/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of runtimes that mark where their garbage collectors begin and end: each is asked about once, when a process is
 * first seen to have it mapped. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct images;
struct mapping;
struct process;
struct symbol;
struct symbolizer;

enum { MARKS_QUESTION = 1 << 29 }; /* in questions to the symbolizer */

/* A file that has marks (symbolizer_marks()), by a descriptor that is open during the call. */
typedef void marks_found(void *arg, uint32_t image, int fd, const struct symbol *marks, size_t count);

struct marks;

struct marks *marks_new(struct images *images, struct symbolizer *symbolizer);
void marks_free(struct marks *m);
/* Before the first mapping: who wants to know, and whether only of processes that are `selected`. */
void marks_want(struct marks *m, bool selected, marks_found *found, void *arg);
void marks_mapped(struct marks *m, const struct process *p, const struct mapping *mapping);
void marks_use_images(const struct marks *m); /* see images_use() */
void marks_answer(struct marks *m, uint32_t question, const struct symbol *symbols, size_t count);
