/* SPDX-License-Identifier: BSD-2-Clause */
/* What tells more about people than about performance, taken out of texts (docs/security.md). Addresses become "peer1",
 * "peer2", ... in the order in which they are met, so that one host stays one host. */
#pragma once

struct buf;
struct redact;

struct redact *redact_new(void);
void redact_free(struct redact *r); /* NULL is fine */

/* Appends the text of a resource of this kind, or of anything else (kind NULL). */
void redact_add(struct redact *r, const char *kind, const char *text, struct buf *ret);
