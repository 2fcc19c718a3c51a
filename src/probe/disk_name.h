/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks by the kernel's numbers. */
#pragma once
#include <stdint.h>

struct capture;

/* The whole disk's resource, also of a partition's number (major << 20 | minor); named by its numbers when it is gone. */
uint32_t disk_resource(struct capture *c, uint32_t device);
