/* SPDX-License-Identifier: BSD-2-Clause */
/* A child as its parent sees it: started when it is needed and again when it is lost, but not
 * without end; and the packets to and from it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "protocol.h"
#include "zygote.h"

struct worker {
	struct zygote *zygote;
	enum child_kind kind;
	int epoll; /* watches the sockets */
	int socket, files; /* -1: none runs */
	uint64_t heard_ns; /* when it last gave a sign of life, or was first asked */
	struct packet out; /* being filled, or does not fit into the socket yet */
	struct packet in; /* what was received last */
	bool broken; /* the zygote is gone: none will ever run again */
	bool polls_writable;
	bool readable, asks; /* the sockets, when last looked at */
	double starts_left;
	uint64_t starts_counted_ns;
};

/* Opens what the child asks for: a descriptor or a negative errno; may add to the note that goes
 * with it. */
typedef int worker_opener(void *arg, const struct file_wanted *wanted, const char *name,
			  struct buf *note);

void worker_init(struct worker *w, struct zygote *zygote, enum child_kind kind, int epoll);
void worker_done(struct worker *w);
bool worker_start(struct worker *w); /* true: just started; false: runs already, or cannot now */
void worker_stop(struct worker *w); /* also drops what is not sent */
struct epoll_event;
/* What epoll says now: only what is ready is read below. */
void worker_look(struct worker *w, const struct epoll_event *events, int count);
/* What is in `out`, if anything; empties it. 0, -EAGAIN, or the child is lost. */
int worker_send(struct worker *w);
/* The next packet, into `in`. 0, -EAGAIN (none), or the child is lost. */
int worker_receive(struct worker *w);
/* All records of that packet, by type. False: one of them is malformed, or none that is known here. */
typedef bool worker_record(void *arg, const struct record *record);
bool worker_take(const struct worker *w, worker_record *const handlers[RECORD_TYPES], void *arg);
int worker_serve_files(struct worker *w, worker_opener *open, void *arg); /* 0, or it is lost */
void worker_poll_writable(struct worker *w, bool wanted);
/* The module that a child which is lost was at; NO_MODULE: none. */
uint32_t worker_module(const struct worker *w);
