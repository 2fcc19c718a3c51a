/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of ends of connections, as resources are called: "10.0.0.1:80", "[::1]:80", "*:80". */
#pragma once
#include <stdbool.h>

#include "tcp.h"

enum { TCP_NAME_BYTES = 64, TCP_PAIR_BYTES = 2 * TCP_NAME_BYTES + 8 };

/* An unspecified address becomes "*". */
void tcp_name(const uint8_t address[16], uint16_t port, char ret[TCP_NAME_BYTES]);
/* "CLIENT -> SERVER", from whichever side it is seen. */
void tcp_pair_name(const struct tcp_tuple *tuple, bool server, char ret[TCP_PAIR_BYTES]);
/* The same connection as the other side sees it. Local to one host, it is in the same namespace. */
struct tcp_tuple tcp_reverse(const struct tcp_tuple *tuple);
bool tcp_is_loopback(const uint8_t address[16]);
bool tcp_is_any(const uint8_t address[16]);
