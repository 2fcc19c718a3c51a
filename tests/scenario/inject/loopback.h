/* SPDX-License-Identifier: BSD-2-Clause */
/* What injectors share that ask and answer each other over TCP on this machine. Who cannot ends. */
#pragma once
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Port 0: any; it is in *address then. */
static inline int listen_at(struct sockaddr_in *address, unsigned port, int most)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	socklen_t length = sizeof(*address);

	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)address, length) || listen(fd, most) || getsockname(fd, (void *)address, &length)) {
		perror("listen");
		exit(1);
	}
	return fd;
}

static inline int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (const void *)address, sizeof(*address)))
		exit(1);
	return fd;
}

static inline ssize_t read_some(int fd)
{
	char bytes[64];

	return recv(fd, bytes, sizeof(bytes), 0);
}

static inline bool get(int fd)
{
	return read_some(fd) > 0;
}

static inline void put(int fd)
{
	if (send(fd, "ok", 2, MSG_NOSIGNAL) != 2)
		exit(1);
}
