/* SPDX-License-Identifier: BSD-2-Clause */
/* A library as it is mapped in a process. */
#pragma once
#include "space.h"

/* The lowest mapping of the file of that name, without its folders; NULL: it is not there. */
const struct space_mapping *image_find(const struct space *s, const char *file);
/* The address of what the library exports; 0: nothing of that name. Nothing is read but the process's memory. */
uint64_t image_symbol(const struct space *s, const struct space_mapping *image, const char *name);
