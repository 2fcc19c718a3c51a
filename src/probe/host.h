/* SPDX-License-Identifier: BSD-2-Clause */
/* The probe host: loads each probe's object by itself, gives all of them the same maps, attaches,
 * and hands their records out. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "probe.h"

struct host;

struct host_options {
	uint32_t threads; /* about so many there are now */
	uint32_t stack_bytes; /* of a user stack copied at the most: whole pages, up to MOST_STACK_PAGES; 0: STACK_PAGES */
	bool filter, include_own, exclude_kernel;
	bool in_parts; /* host_attach() loads what comes first, and goes on in the background */
	const char *const *on_demand; /* names of such probes that are asked for, ends with NULL; NULL: none */
};

typedef void host_record(void *arg, const struct record *r);

/* Makes the shared maps and points the capture at them. */
int host_new(struct capture *c, const struct host_options *o, host_record *each, void *arg,
	     struct host **ret_host);
void host_free(struct host *h);

/* Loads and attaches every probe. A probe that cannot is marked unavailable; -EPERM or the like only
 * when none of those with a kernel side could, of those that come first if the others come later. */
int host_attach(struct host *h);
int host_loading_fd(const struct host *h); /* readable when something more can be attached; -1: nothing more comes */
bool host_attach_more(struct host *h);     /* inside a transaction of the store; false: that was all */
void host_detach(struct host *h); /* no more records after this; waits for objects that are just being loaded */

int host_python_fd(const struct host *h); /* the map of processes that run CPython */
int host_fd(const struct host *h); /* readable when the ring fills */
int host_consume(struct host *h);  /* calls `each` for every record that waits; their number */
void host_dispatch(struct host *h, const struct record *r); /* to the probes that want it */

/* The governor's: what makes the capture cost less. */
void host_set_wait_gap(struct host *h, unsigned shift); /* stacks of waits: one in 1 << shift of the usual */
void host_retune(struct host *h);                       /* c->frequency has changed */
void host_set_probe(struct host *h, const char *name, bool on);
void host_watch(struct host *h, bool on);               /* switches and wake-ups; nothing when it is so already */

void host_start(struct host *h);
void host_drained(struct host *h);
void host_slice(struct host *h, uint64_t now_ns);
void host_cpu(struct host *h, int cpu, int up);
void host_write_metrics(struct host *h); /* metric and unavailable rows */

/* The i-th probe that does not work here, and why; NULL behind the last. */
const char *host_unavailable(const struct host *h, uint32_t i, const char **ret_reason);

uint64_t host_kernel_bytes(const struct host *h); /* memory of all BPF maps */
