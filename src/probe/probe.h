/* SPDX-License-Identifier: BSD-2-Clause */
/* A probe: one file here, one in bpf/, one word in each meson list. The host loads its object by
 * itself; when that fails, this probe is unavailable with a reason and nothing else is. */
#pragma once
#include <stddef.h>

#include "capture.h"

struct bpf_object;
struct host;

struct probe_metric {
	const char *name, *unit, *help;
};

struct probe {
	const char *name;
	const char *help;
	bool on_demand; /* costs so much that it is loaded only when it is asked for by name */
	bool first; /* a live screen does not begin without it; the others may come some tenths of a second later */
	const struct probe_metric *metrics; /* ends with {0}; the i-th has id first_metric + i */

	/* Kernel side; NULL for a probe that only reads /proc and /sys. */
	const char *object;
	const unsigned long *object_size;

	size_t state_size; /* zeroed memory for the calls below */

	/* Between opening and loading: fills in what is constant. May be NULL. */
	int (*prepare)(const struct capture *c, struct bpf_object *object);
	/* Attach what attaches itself neither by its section nor at start (perf events); may be NULL. */
	int (*attach)(struct capture *c, struct bpf_object *object, void *state);
	/* The set of online CPUs changed: cpu came (up) or went. */
	void (*cpu)(struct capture *c, void *state, int cpu, int up);
	/* The recording begins now: what was counted before is not part of it. */
	void (*start)(struct capture *c, void *state);
	/* c->frequency is another one from now on. */
	void (*retune)(struct capture *c, void *state);
	/* Switches are about to be watched again, after a rest since c->rest_since_ns. */
	void (*go_on)(struct capture *c, void *state, uint64_t now_ns);
	/* One record of the kinds below. */
	void (*record)(struct capture *c, void *state, const struct record *r);
	/* Each time the rings have been emptied, some ten times a second. */
	void (*drained)(struct capture *c, void *state);
	/* A slice closes at now_ns: add what belongs to it. */
	void (*slice)(struct capture *c, void *state, uint64_t now_ns);
	void (*detach)(struct capture *c, void *state); /* undoes attach(): no more records */
	void (*stop)(struct capture *c, void *state);   /* frees what the state holds */

	bool resumes;     /* its programs may be away for a while: nothing that they keep is wrong after it */
	unsigned records; /* bit mask of 1 << enum record_kind */
};

/* Every state starts with this, filled by the host. */
struct probe_state {
	uint32_t first_metric;
};

extern const struct probe *const all_probes[]; /* ends with NULL; made from meson's list */
