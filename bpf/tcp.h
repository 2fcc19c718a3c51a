/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tcp probe's two sides share. */
#pragma once
#include "wire.h"

/* Both ends of a connection. IPv4 as ::ffff:a.b.c.d, ports in the host's order. */
struct tcp_tuple {
	u8 local[16], remote[16];
	u16 local_port, remote_port;
	u32 netns;
};

enum tcp_flag {
	TCP_SERVER = 1,  /* the other side opened the connection */
	TCP_STALLED = 2, /* has data to send, and the receiver's window has no room for a segment */
	TCP_CLOSED_WINDOW = 4, /* its own window is closed: it does not read */
	TCP_HELD = 8,    /* Nagle: a last small segment waits for the acknowledgement of the one before */
	TCP_OVERDUE = 16, /* its timer has run out for what it sent, or is about to: nothing comes back */
	TCP_LOSSY = 32,  /* has sent again, now or once */
};

/* A round trip worth telling of by connection: within a building or a data centre it takes less. */
enum { TCP_SLOW_US = 5000 };
/* More than a receiver keeps an acknowledgement back. */
enum { TCP_ACK_DELAY_US = 45000 };

/* From here on ports are given to clients. */
enum { TCP_EPHEMERAL = 32768 };

enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };

enum { TCP_STATE_ESTABLISHED = 1, TCP_STATE_SYN_SENT = 2, TCP_STATE_SYN_RECV = 3, TCP_STATE_FIN_WAIT1 = 4,
       TCP_STATE_CLOSE = 7, TCP_STATE_LAST_ACK = 9, TCP_STATE_LISTEN = 10 };

/* What a socket has counted, all that it ever did or since the last look. Times in jiffies. */
struct tcp_counts {
	u64 sent, received; /* bytes; sent ones are acknowledged */
	u32 segments, retransmits;
	u32 busy; /* data is under way, and nothing else sets the pace */
	u32 window_limited, buffer_limited;
	u32 drops; /* of a listener: connections that it had no room for */
};

/* One socket as the walk over all files finds it, if it has done something or is in trouble. */
struct tcp_report {
	u64 now_ns, jiffies;
	struct tcp_tuple tuple;
	struct tcp_counts growth; /* since the last walk */
	u32 tgid;
	u8 state, flags; /* as in include/net/tcp_states.h; enum tcp_flag */
	u8 protocol;     /* TCP or UDP */
	u8 unused;
	u64 start_ns;    /* of its connect(); of a listener, since when the first in its queue waits; 0: not seen */
	u32 srtt_us, least_rtt_us;
	u32 flying;      /* segments that are not acknowledged */
	u32 unread, unsent;     /* bytes */
	u32 backlog, backlog_max; /* of a listener; of a UDP socket bytes that wait to be read, and for how many there is room */
	u32 silent; /* jiffies since a client sent something, if nothing was sent to it since; else 0 */
};

/* Connections of one process to one address and port, or (server) to one port of its own. User space takes it each
 * slice: what opened or closed meanwhile. */
struct tcp_flow_key {
	u8 address[16]; /* the server's */
	u16 port;
	u16 server;
	u32 tgid;
};

struct tcp_flow {
	u64 opened, connect_ns; /* how long that took; a server's are not known */
	u64 refused, timed_out, unreachable, no_port, abandoned, reset;
	u64 sent, received, segments, retransmits; /* not yet reported by a walk */
	u64 waited; /* jiffies: a client's, on a way whose round trip is slow */
};

struct tcp_service_key {
	u8 address[16];
	u16 port;
	u16 unused[3];
};

struct tcp_latency {
	u64 connect[LATENCY_BUCKETS];
};

enum { TCP_DROP_REASONS = 256 }; /* of the kernel's core */

/* Goes up with each change of the maps that user space takes: one that has not changed need not be searched. */
struct tcp_changes {
	u64 flows, drops;
	u64 never;        /* sockets that were destroyed and never had a port */
	u64 connect_call; /* user space sets it: the system call's number */
	u64 most_silent; /* user space sets it: in this walk, tell of sockets that are silent for so many jiffies; 0: of none */
	u64 first_look_ns;
};

/* How much of a packet that is thrown away for a reason can be looked at. */
enum tcp_drop_where { TCP_DROP_NOT, TCP_DROP_IN_SOCKET, TCP_DROP_ON_WAY };

struct tcp_drop_key {
	u64 location; /* in the kernel's text */
	u32 tgid;     /* whose packet it was, on its way out; 0 unknown */
	u16 reason;
	u16 port;     /* the one that it was for; on the way the service's, in which direction it ever goes */
	u8 protocol;
	u8 unused[7];
	char device[16]; /* on the way, else "" */
};
