/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes from the calling process what a parser of hostile bytes does not need. */
#pragma once

/* Identity, capabilities, file system. Does what the process's own rights allow; what cannot fail
 * for anyone (no new privileges, no capabilities) is checked. Negative errno. */
int sandbox_drop_privileges(void);
/* Memory, core dumps, debuggers. */
int sandbox_limit(void);
/* From here on only system calls on memory and on descriptors that are already there, or are
 * received, work; the others fail with EPERM. Negative errno where the kernel has no filters. */
int sandbox_filter_calls(void);
