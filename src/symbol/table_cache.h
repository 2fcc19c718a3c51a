/* SPDX-License-Identifier: BSD-2-Clause */
/* Unwind tables on disk, for the next start. What is in the files was written by the child and is
 * checked by the child; this is about names and descriptors. A cache that cannot be used costs
 * nothing but the time to build tables again, so there are no messages.
 *
 * A table is found by its file's device, inode, size and time of change. A build id would not do:
 * it is what a file says about itself, and another user's file may say that it is the C library. */
#pragma once
#include <stdint.h>
#include <sys/stat.h>

#include "cleanup.h"

enum { TABLE_NAME_MAX = 96 };
#define TABLE_FILE_MAX (64u << 20)

struct table_cache;

/* NULL: the usual directory of this user; "": none. Nothing is touched before it is needed. */
struct table_cache *table_cache_new(const char *directory);
void table_cache_free(struct table_cache *c);
void table_cache_name(const struct stat *of_elf_file, char ret_name[TABLE_NAME_MAX]);
/* For reading; a descriptor or negative errno. */
int table_cache_open(struct table_cache *c, const char *name);
/* A file of that size which gets its name when it is kept. There is one at a time. */
int table_cache_create(struct table_cache *c, const char *name, uint64_t size);
void table_cache_keep(struct table_cache *c);
void table_cache_abandon(struct table_cache *c);

DEFINE_CLEANUP(struct table_cache *, table_cache_free)
