/* SPDX-License-Identifier: BSD-2-Clause */
/* What the recorder's process may do once its programs are attached. */
#pragma once

/* Gives up, for good, all that neither the rest of a recording nor its end needs: docs/security.md says what stays, and what for.
 * Programs that are started later are not bound by it. */
void capabilities_drop(void);
