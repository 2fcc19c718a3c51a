/* SPDX-License-Identifier: BSD-2-Clause */
/* The blkio probe's hooks for devices without a queue of requests (dm, md, brd, zram), attached once there is one: they would
 * run for each bio of every other device, too, to find out that it is not theirs. */
#pragma once
#include <dirent.h>

struct bpf_link;
struct bpf_object;
struct capture;
struct bpf_program;
struct intern;
struct kept_files;

enum { BIO_HOOKS = 2 };

struct bio_hooks {
	struct bpf_program *programs[BIO_HOOKS];
	struct bpf_link *links[BIO_HOOKS];
	DIR *disks;            /* NULL: there is no such folder */
	struct intern *queued; /* those that have been seen to have a queue */
};

int bio_hooks_prepare(const struct capture *c, struct bpf_object *object); /* before it is loaded; 0, as a probe wants it */
void bio_hooks_init(struct bio_hooks *b, struct bpf_object *object);
void bio_hooks_look(struct bio_hooks *b, struct kept_files *files); /* attaches them when they are needed and not there yet */
void bio_hooks_done(struct bio_hooks *b);
