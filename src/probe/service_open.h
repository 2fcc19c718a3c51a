/* SPDX-License-Identifier: BSD-2-Clause */
/* The service probe's requests and calls that wait for their answer. */
#pragma once
#include "buf.h"
#include "hash.h"
#include "probe.h"

struct bpf_link;

/* Before the object is loaded: by the map of sockets where the kernel lets it be listed, else by all files of all processes. */
void service_open_choose(struct bpf_object *object);
/* The program that lists them. NULL: not here. */
struct bpf_link *service_open_attach(struct bpf_object *object);
/* Adds each to the open slice; metrics: the first of three, as enum service_open_kind; servers: resource -> the
 * struct thread of one that answers there. link: NULL is fine. */
void service_open_add(struct capture *c, struct bpf_link *link, uint32_t metrics, const struct map *servers);

/* A service by its Unix socket's name; an abstract one begins with NUL. */
uint32_t service_unix_resource(struct capture *c, const char *path, uint32_t length);
