// SPDX-License-Identifier: BSD-2-Clause
/* The libelf.a and libdw.a of elfutils 0.192 (Debian 13) call these functions but lack them:
 * https://sourceware.org/bugzilla/show_bug.cgi?id=32293. Built only where they are missing. A tree
 * is a struct that begins with the root that tsearch() and its kin want; elfutils' lock behind it
 * stays unused, for no handle of ours is shared between threads. */
#include <search.h>
#include <stddef.h>

typedef int compare_fn(const void *, const void *);
typedef void free_fn(void *);

void *eu_tsearch(const void *key, void **root, compare_fn *compare);
void *eu_tfind(const void *key, void **root, compare_fn *compare);
void *eu_tdelete(const void *key, void **root, compare_fn *compare);
void eu_tdestroy(void **root, free_fn *free_node);
void eu_search_tree_init(void **root);
void eu_search_tree_fini(void **root, free_fn *free_node);

void *eu_tsearch(const void *key, void **root, compare_fn *compare)
{
	return tsearch(key, root, compare);
}

void *eu_tfind(const void *key, void **root, compare_fn *compare)
{
	return tfind(key, root, compare);
}

void *eu_tdelete(const void *key, void **root, compare_fn *compare)
{
	return tdelete(key, root, compare);
}

void eu_tdestroy(void **root, free_fn *free_node)
{
	tdestroy(*root, free_node);
	*root = NULL;
}

void eu_search_tree_init(void **root)
{
	*root = NULL;
}

void eu_search_tree_fini(void **root, free_fn *free_node)
{
	eu_tdestroy(root, free_node);
}
