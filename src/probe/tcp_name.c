// SPDX-License-Identifier: BSD-2-Clause
#include "tcp_name.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t nothing[16];
static const uint8_t loopback[16] = {[15] = 1};

static bool is_ipv4(const uint8_t address[16])
{
	return !memcmp(address, mapped, sizeof(mapped));
}

bool tcp_is_any(const uint8_t address[16])
{
	return !memcmp(address, nothing, 16) || (is_ipv4(address) && !memcmp(address + 12, nothing, 4));
}

bool tcp_is_loopback(const uint8_t address[16])
{
	return is_ipv4(address) ? address[12] == 127 : !memcmp(address, loopback, 16);
}

void tcp_name(const uint8_t address[16], uint16_t port, char ret[TCP_NAME_BYTES])
{
	char text[INET6_ADDRSTRLEN] = "*";
	bool ipv4 = is_ipv4(address), any = tcp_is_any(address);

	if (!any)
		inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? address + 12 : address, text, sizeof(text));
	snprintf(ret, TCP_NAME_BYTES, ipv4 || any ? "%s:%u" : "[%s]:%u", text, port);
}

void tcp_pair_name(const struct tcp_tuple *tuple, bool server, char ret[TCP_PAIR_BYTES])
{
	char local[TCP_NAME_BYTES], remote[TCP_NAME_BYTES];

	tcp_name(tuple->local, tuple->local_port, local);
	tcp_name(tuple->remote, tuple->remote_port, remote);
	snprintf(ret, TCP_PAIR_BYTES, "%s -> %s", server ? remote : local, server ? local : remote);
}

struct tcp_tuple tcp_reverse(const struct tcp_tuple *tuple)
{
	struct tcp_tuple t = {.local_port = tuple->remote_port, .remote_port = tuple->local_port};

	memcpy(t.local, tuple->remote, sizeof(t.local));
	memcpy(t.remote, tuple->local, sizeof(t.remote));
	/* Other addresses are one host's alone, whatever its namespaces. */
	t.netns = tcp_is_loopback(tuple->local) ? tuple->netns : 0;
	return t;
}
