// SPDX-License-Identifier: BSD-2-Clause
#include "bio_hooks.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "cleanup.h"
#include "io.h"
#include "log.h"

static const char *const names[BIO_HOOKS] = {"block_bio_queue", "block_bio_complete"};

int bio_hooks_prepare(const struct capture *c, struct bpf_object *object)
{
	for (int i = 0; i < BIO_HOOKS; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, names[i]);

		if (program)
			bpf_program__set_autoattach(program, false);
	}
	return 0;
}

void bio_hooks_init(struct bio_hooks *b, struct bpf_object *object)
{
	for (int i = 0; i < BIO_HOOKS; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, names[i]);

		b->programs[i] = program && bpf_program__autoload(program) ? program : NULL;
	}
}

/* A disk with a queue has a folder for it. One without that has no size is not in use. */
static bool has_no_queue(const char *disk)
{
	_cleanup_(buf_done) struct buf size = BUF_INIT;
	struct stat st;
	char path[512];

	snprintf(path, sizeof(path), "/sys/block/%s/mq", disk);
	if (stat(path, &st) == 0)
		return false;
	snprintf(path, sizeof(path), "/sys/block/%s/size", disk);
	return read_file(path, 64, &size) == 0 && size.len && strcmp(size.data, "0\n");
}

static bool any_without_queue(void)
{
	DIR *all = opendir("/sys/block");
	const struct dirent *entry;
	bool found = false;

	while (all && !found && (entry = readdir(all)))
		found = entry->d_name[0] != '.' && has_no_queue(entry->d_name);
	if (all)
		closedir(all);
	return found;
}

void bio_hooks_look(struct bio_hooks *b)
{
	if (b->links[0] || !b->programs[0] || !any_without_queue())
		return;
	for (int i = 0; i < BIO_HOOKS; i++) {
		b->links[i] = b->programs[i] ? bpf_program__attach(b->programs[i]) : NULL;
		if (!b->links[i])
			log_debug("attach to %s: %s", names[i], strerror(errno));
	}
}

void bio_hooks_done(struct bio_hooks *b)
{
	for (int i = 0; i < BIO_HOOKS; i++)
		bpf_link__destroy(b->links[i]);
	memset(b->links, 0, sizeof(b->links));
}
