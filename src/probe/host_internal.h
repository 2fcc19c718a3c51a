/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the host's own files only. */
#pragma once
#include "host.h"
#include "kernel_text.h"
#include "load.h"
#include "shared_maps.h"
#include "wire.h"

struct bpf_link;
struct bpf_program;
struct btf;
struct ring_buffer;

struct attached {
	struct bpf_program *program;
	struct bpf_link *link; /* NULL: not now */
};

struct loaded {
	const struct probe *probe;
	struct bpf_object *object;
	struct attached *attached;
	size_t attached_count, attached_capacity;
	void *state;
	uint32_t first_metric;
	bool coming;       /* its object is being loaded */
	char *unavailable; /* the reason; NULL when it works */
};

struct host {
	struct capture *capture;
	struct host_options options;
	struct config config;
	struct shared_maps shared;
	struct kernel_text text;
	struct loaded *loaded; /* one a probe */
	size_t count;
	struct ring_buffer *ring;
	host_record *each;
	void *arg;
	int consumed;
	struct btf *btf; /* the kernel's types, while objects are being opened */
	bool detached;   /* for good */
	bool settled;    /* fewer stacks of waits do now */
	unsigned wait_shift; /* what host_set_wait_gap() was told */
	struct loading *loading; /* of the probes that are coming; NULL: none are */
	struct load *loads;      /* the objects of these */
	struct loaded **owners;  /* whose they are */
	size_t coming;           /* how many these are */
};

/* host_load.c: objects into the kernel and out of it */
struct config host_configure(const struct host *h);
bool host_wants(const struct host *h, const struct probe *probe);
int probe_attach_programs(struct loaded *l); /* those that attach themselves */
void probe_detach(struct host *h, struct loaded *l);
int probe_load(struct host *h, struct loaded *l);    /* again, after probe_unload() */
void probe_unload(struct host *h, struct loaded *l);
void probe_give_up(struct host *h, struct loaded *l); /* fail_message() is why */
void host_stop_loading(struct host *h);
