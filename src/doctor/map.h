/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

int task_storage_create(void); /* fd of a map with one u64 a thread, or -errno */
