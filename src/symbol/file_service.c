// SPDX-License-Identifier: BSD-2-Clause
#include "file_service.h"

#include "protocol.h"

int file_service_want(struct file_service *files, uint32_t module, uint32_t kind, const void *name,
		      size_t len, struct buf *note)
{
	struct packet p = {.data = BUF_INIT};
	struct file_wanted wanted = {.module = module, .kind = kind, .len = (uint32_t)len};
	int fd = -1;

	if (len > NAME_MAX_BYTES)
		return -1;
	buf_add(&p.data, &wanted, sizeof(wanted));
	buf_add(&p.data, name, len);
	if (packet_send(files->socket, &p) == 0 && packet_receive(files->socket, &p, true) == 0) {
		fd = packet_take_fd(&p);
		if (note)
			buf_add(note, p.data.data + 1, p.data.len - 1);
	}
	packet_done(&p);
	return fd;
}
