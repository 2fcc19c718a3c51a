/* SPDX-License-Identifier: BSD-2-Clause */
/* The files that threads wait for, as resources of the recording: by descriptor, or by an address at which they are mapped. */
#pragma once
#include <stdint.h>

struct capture;
struct process;
struct wait_files;

struct wait_files *wait_files_new(struct capture *c);
void wait_files_free(struct wait_files *f); /* NULL is fine */
void wait_files_drained(struct wait_files *f); /* descriptors may stand for other files from now on */
void wait_files_slice(struct wait_files *f); /* mappings may have changed since */

/* 0: not known. */
uint32_t wait_files_device(struct wait_files *f, uint32_t pid, uint32_t fd); /* that it lies on, major << 20 | minor */
uint32_t wait_files_of_descriptor(struct wait_files *f, uint32_t pid, uint32_t fd);
uint32_t wait_files_at_address(struct wait_files *f, const struct process *p, uint64_t address);
