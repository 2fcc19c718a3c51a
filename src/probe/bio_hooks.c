// SPDX-License-Identifier: BSD-2-Clause
#include "bio_hooks.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "intern.h"
#include "kept_files.h"
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
	b->disks = opendir("/sys/block");
	b->queued = intern_new();
}

/* A disk with a queue has a folder for it. One without that has no size is not in use. Another disk may come to have the name: what
 * had been looked at is known by its inode. */
static bool has_no_queue(struct bio_hooks *b, struct kept_files *files, const struct dirent *entry)
{
	const char *disk = entry->d_name;
	uint64_t sectors;
	char path[512];
	uint32_t id;

	if (intern_find(b->queued, &entry->d_ino, sizeof(entry->d_ino), &id))
		return false;
	snprintf(path, sizeof(path), "/sys/block/%s/mq", disk);
	if (access(path, F_OK) == 0) {
		intern_id(b->queued, &entry->d_ino, sizeof(entry->d_ino), NULL);
		return false;
	}
	snprintf(path, sizeof(path), "/sys/block/%s/size", disk);
	return kept_files_read_u64(files, path, &sectors) == 0 && sectors;
}

static bool any_without_queue(struct bio_hooks *b, struct kept_files *files)
{
	const struct dirent *entry;
	bool found = false;

	if (!b->disks)
		return false;
	rewinddir(b->disks);
	while (!found && (entry = readdir(b->disks)))
		found = entry->d_name[0] != '.' && has_no_queue(b, files, entry);
	return found;
}

void bio_hooks_look(struct bio_hooks *b, struct kept_files *files)
{
	if (b->links[0] || !b->programs[0] || !any_without_queue(b, files))
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
	if (b->disks)
		closedir(b->disks);
	intern_free(b->queued);
	b->disks = NULL;
	b->queued = NULL;
}
