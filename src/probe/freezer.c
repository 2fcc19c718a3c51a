// SPDX-License-Identifier: BSD-2-Clause
#include "freezer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>

#include "cleanup.h"

#define HIERARCHY "/sys/fs/cgroup/freezer"
#define STATE_FILE "/freezer.state"

int freezer_watch(void)
{
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	/* All of it, also where a container has mounted it elsewhere. */
	if (!fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_MODIFY, AT_FDCWD, HIERARCHY "/tasks"))
		return fd;
	close(fd);
	return -1;
}

static bool is_state(int fd)
{
	char link[32], path[4096];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path));
	size_t end = strlen(STATE_FILE);

	return n >= (ssize_t)end && !memcmp(path + n - end, STATE_FILE, end);
}

bool freezer_changed(int fd)
{
	_Alignas(struct fanotify_event_metadata) char buffer[4096];
	bool changed = false;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buffer, sizeof(buffer))) > 0) {
		const struct fanotify_event_metadata *m = (const void *)buffer;

		for (; FAN_EVENT_OK(m, n); m = FAN_EVENT_NEXT(m, n)) {
			_cleanup_close_ int file = m->fd;

			changed = changed || file < 0 || is_state(file); /* without one there were too many to keep */
		}
	}
	return changed;
}
