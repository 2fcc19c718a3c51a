/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens files for the child, in the parent: with its rights, and in the view of the process that
 * uses them. A file that is not certainly the right one is not opened. Each returns a descriptor or
 * a negative errno. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "symbolizer.h"

int module_file_elf(const struct symbol_mapping *m);
int module_file_vdso(void);
int module_file_kallsyms(void);
int module_file_perf_map(pid_t pid);
int module_file_java_counters(pid_t pid); /* what HotSpot tells in /tmp/hsperfdata_USER/PID */

/* Separate debug files, looked for in the process's root and then in the host's. `name` comes from
 * the child and is hostile: only ELF files at the places where debug files live are handed out. */
int module_file_by_build_id(pid_t pid, const uint8_t *id, size_t len);
int module_file_by_debuglink(pid_t pid, const char *module_path, const char *name, size_t len);
int module_file_by_altlink(pid_t pid, const char *name, size_t len);
