// SPDX-License-Identifier: BSD-2-Clause
#include "peer.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "holders.h"
#include "io.h"
#include "mem.h"
#include "proc_status.h"

#define MOST_TABLE_BYTES (64 << 20)

/* A line of /proc/PID/net/tcp and its like. */
struct connection {
	const char *protocol;
	uint64_t inode;
	int family;
	unsigned char local[16], remote[16];
	uint16_t local_port, remote_port;
	bool sends, holds; /* what the other end has not got yet; what has come and is not read yet */
};

struct peers {
	struct holders holders;
	bool walked;
	uint64_t network; /* whose connections are there, see network_of(); 0 none yet */
	struct connection *connections;
	size_t count, capacity;
};

struct peers *peers_new(void)
{
	return xcalloc(1, sizeof(struct peers));
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	holders_done(&p->holders);
	free(p->connections);
	free(p);
}

/* Addresses are printed as 32-bit words in the machine's order. */
static bool parse_address(const char *hex, int family, unsigned char address[16])
{
	for (int word = 0; word < (family == AF_INET ? 1 : 4); word++) {
		unsigned int value;

		if (sscanf(hex + word * 8, "%8x", &value) != 1)
			return false;
		memcpy(address + word * 4, &value, 4);
	}
	return true;
}

static void parse_connection(struct peers *p, const char *line, const char *protocol, int family)
{
	struct connection c = {.protocol = protocol, .family = family};
	char local[33], remote[33];
	unsigned int local_port, remote_port, unsent, unread;
	unsigned long long inode;

	if (sscanf(line,
		   " %*d: %32[0-9A-Fa-f]:%x %32[0-9A-Fa-f]:%x %*x %x:%x %*x:%*x %*x %*d %*d %llu",
		   local, &local_port, remote, &remote_port, &unsent, &unread, &inode) != 7 ||
	    !parse_address(local, family, c.local) || !parse_address(remote, family, c.remote))
		return;
	c.local_port = (uint16_t)local_port;
	c.remote_port = (uint16_t)remote_port;
	c.inode = inode;
	c.sends = unsent;
	c.holds = unread;
	GROW(p->connections, p->count, p->capacity);
	p->connections[p->count++] = c;
}

/* Processes of one network have the same tables: they are read once for them all. */
static uint64_t network_of(uint32_t pid)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	return stat(path, &st) < 0 ? (uint64_t)pid << 32 : st.st_ino;
}

static void read_network(struct peers *p, uint32_t pid)
{
	static const struct {
		const char *name, *file;
		int family;
	} tables[] = {{"tcp", "tcp", AF_INET},
		      {"tcp", "tcp6", AF_INET6},
		      {"udp", "udp", AF_INET},
		      {"udp", "udp6", AF_INET6}};
	uint64_t network = network_of(pid);

	if (p->network == network)
		return;
	p->network = network;
	p->count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		_cleanup_(buf_done) struct buf b = BUF_INIT;
		char path[64];

		snprintf(path, sizeof(path), "/proc/%u/net/%s", pid, tables[i].file);
		if (read_file(path, MOST_TABLE_BYTES, &b) < 0)
			continue;
		char *rest = b.data;
		for (char *line; (line = strsep(&rest, "\n"));)
			parse_connection(p, line, tables[i].name, tables[i].family);
	}
}

/* ::ffff:1.2.3.4 is shown and compared as 1.2.3.4. */
static bool is_mapped(int family, const unsigned char *address)
{
	static const unsigned char prefix[12] = {[10] = 0xff, [11] = 0xff};

	return family == AF_INET6 && !memcmp(address, prefix, sizeof(prefix));
}

static size_t plain_address(int family, const unsigned char *address, const unsigned char **ret)
{
	bool mapped = is_mapped(family, address);

	*ret = mapped ? address + 12 : address;
	return family == AF_INET || mapped ? 4 : 16;
}

static bool same_address(int a_family, const unsigned char *a, int b_family, const unsigned char *b)
{
	size_t a_len = plain_address(a_family, a, &a), b_len = plain_address(b_family, b, &b);

	return a_len == b_len && !memcmp(a, b, a_len);
}

static void add_address(struct buf *b, int family, const unsigned char *address, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];
	size_t len = plain_address(family, address, &address);

	inet_ntop(len == 4 ? AF_INET : AF_INET6, address, text, sizeof(text));
	buf_addf(b, len == 4 ? "%s:%u" : "[%s]:%u", text, port);
}

static const struct connection *other_end(const struct peers *p, const struct connection *c)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct connection *o = &p->connections[i];

		if (o->local_port == c->remote_port && o->remote_port == c->local_port &&
		    !strcmp(o->protocol, c->protocol) &&
		    same_address(o->family, o->local, c->family, c->remote) &&
		    same_address(o->family, o->remote, c->family, c->local))
			return o;
	}
	return NULL;
}

static void walk(struct peers *p)
{
	if (!p->walked)
		holders_read(&p->holders);
	p->walked = true;
}

/* The only process that holds it, 0 when there are several: then nobody knows which of them must
 * act. */
static uint32_t only_holder(struct peers *p, uint64_t inode)
{
	size_t count;

	if (!inode)
		return 0;
	walk(p);
	const struct holder *h = holders_of(&p->holders, inode, &count);
	return count == 1 ? h->pid : 0;
}

static bool internet_socket(struct peers *p, uint64_t inode, struct buf *b, uint32_t *ret_pid, bool *ret_coming)
{
	const struct connection *c = NULL;

	for (size_t i = 0; i < p->count && !c; i++)
		if (p->connections[i].inode == inode)
			c = &p->connections[i];
	if (!c)
		return false;
	buf_addf(b, "%s ", c->protocol);
	add_address(b, c->family, c->local, c->local_port);
	if (!c->remote_port) {
		buf_addstr(b, " (no peer)");
		return true;
	}
	buf_addstr(b, " -> ");
	add_address(b, c->family, c->remote, c->remote_port);
	const struct connection *o = other_end(p, c);
	*ret_pid = o ? only_holder(p, o->inode) : 0;
	*ret_coming = c->holds || (o && o->sends);
	return true;
}

struct unix_socket {
	uint32_t peer; /* inode, 0 none */
	char name[110];
	size_t name_len;
};

static void take_attributes(const struct nlmsghdr *head, struct unix_socket *ret)
{
	const struct unix_diag_msg *m = NLMSG_DATA(head);
	const char *end = (const char *)head + head->nlmsg_len;

	for (const char *at = (const char *)(m + 1); end - at >= (long)sizeof(struct nlattr);) {
		const struct nlattr *a = (const void *)at;
		size_t len = a->nla_len >= sizeof(*a) ? a->nla_len - sizeof(*a) : 0;

		if (a->nla_len < sizeof(*a) || (long)a->nla_len > end - at)
			return;
		if (a->nla_type == UNIX_DIAG_PEER && len >= 4)
			memcpy(&ret->peer, at + sizeof(*a), 4);
		else if (a->nla_type == UNIX_DIAG_NAME && len < sizeof(ret->name))
			memcpy(ret->name, at + sizeof(*a), ret->name_len = len);
		at += (a->nla_len + 3u) & ~3u;
	}
}

/* One socket of our own network namespace by its inode. */
static bool ask_unix(uint64_t inode, struct unix_socket *ret)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req request;
	} question = {
		.head = {.nlmsg_len = sizeof(question),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST},
		.request = {.sdiag_family = AF_UNIX,
			    .udiag_ino = (uint32_t)inode,
			    .udiag_states = UINT32_MAX,
			    .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER,
			    .udiag_cookie = {UINT32_MAX, UINT32_MAX}},
	};
	_Alignas(struct nlmsghdr) char answer[4096];
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	*ret = (struct unix_socket){0};
	if (fd < 0 || send(fd, &question, sizeof(question), 0) < 0)
		return false;
	ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	const struct nlmsghdr *head = (const void *)answer;
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct unix_diag_msg)) ||
	    head->nlmsg_type != SOCK_DIAG_BY_FAMILY || head->nlmsg_len > (size_t)n)
		return false;
	take_attributes(head, ret);
	return true;
}

static void add_unix_name(struct buf *b, const struct unix_socket *s)
{
	if (!s->name_len)
		return;
	/* An abstract name begins with a NUL and may hold any bytes. */
	buf_addch(b, ' ');
	for (size_t i = 0; i < s->name_len && (s->name[i] || !i); i++)
		buf_addch(b, s->name[i] ? s->name[i] : '@');
}

static bool unix_socket(struct peers *p, uint64_t inode, struct buf *b, uint32_t *ret_pid)
{
	struct unix_socket own, other = {0};

	if (!ask_unix(inode, &own))
		return false;
	buf_addstr(b, "unix");
	if (!own.name_len && own.peer)
		ask_unix(own.peer, &other);
	add_unix_name(b, own.name_len ? &own : &other);
	*ret_pid = only_holder(p, own.peer);
	return true;
}

bool peers_socket(struct peers *p, uint32_t pid, uint64_t inode, struct buf *b, uint32_t *ret_pid, bool *ret_coming)
{
	*ret_pid = 0;
	*ret_coming = false;
	read_network(p, pid);
	return internet_socket(p, inode, b, ret_pid, ret_coming) || unix_socket(p, inode, b, ret_pid);
}

/* A line of /proc/PID/net/unix. */
static uint64_t listens_at(const char *line, const char *name)
{
	enum { ACCEPTS = 1 << 16 };
	unsigned long long inode;
	unsigned int flags;
	int at = 0;

	return sscanf(line, "%*s %*x %*x %x %*x %*x %llu %n", &flags, &inode, &at) == 2 && flags & ACCEPTS && at &&
	       !strcmp(line + at, name) ? inode : 0;
}

/* Init opens sockets for services that it starts later: it is one's own only if nobody else has it. */
static uint32_t first_holder(const struct holder *h, size_t count, uint32_t but)
{
	enum { INIT = 1 };
	uint32_t found = 0;

	for (size_t i = 0; i < count; i++)
		if (h[i].pid != but && (!found || found == INIT))
			found = h[i].pid;
	return found;
}

/* It waits for its children, for signals or for time to pass. */
static bool only_watches(uint32_t pid)
{
	static const long calls[] = {
		SYS_wait4, SYS_waitid, SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_nanosleep, SYS_clock_nanosleep, SYS_ppoll, SYS_pselect6,
		SYS_epoll_pwait,
#ifdef SYS_pause
		SYS_pause, SYS_poll, SYS_select, SYS_epoll_wait,
#endif
	};
	_cleanup_(buf_done) struct buf b = BUF_INIT;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%u/syscall", pid);
	long call = read_file(path, 4096, &b) < 0 ? -1 : strtol(b.data, NULL, 10);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (call == calls[i])
			return true;
	return false;
}

static uint32_t parent_of(uint32_t pid)
{
	uint64_t parent;

	return proc_status(pid, "PPid", 10, &parent) ? (uint32_t)parent : 0;
}

static bool runs_the_same(uint32_t a, uint32_t b)
{
	char path[40];
	struct stat first, second;

	snprintf(path, sizeof(path), "/proc/%u/exe", a);
	if (stat(path, &first) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%u/exe", b);
	return !stat(path, &second) && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/* Who should accept: workers, if there are some, of one that has opened it for them. Other programs that it has started may hold it,
 * too, for want of FD_CLOEXEC. */
static uint32_t accepter(struct peers *p, uint64_t inode, uint32_t but)
{
	size_t count;

	walk(p);
	const struct holder *h = holders_of(&p->holders, inode, &count);
	uint32_t first = first_holder(h, count, but);
	for (size_t i = 0; first && i < count; i++)
		if (h[i].pid != but && parent_of(h[i].pid) == first && only_watches(first) && runs_the_same(h[i].pid, first))
			return h[i].pid;
	return first;
}

bool peers_listener(struct peers *p, uint32_t pid, const char *name, struct buf *b, uint32_t *ret_pid)
{
	_cleanup_(buf_done) struct buf table = BUF_INIT;
	char path[64];

	*ret_pid = 0;
	snprintf(path, sizeof(path), "/proc/%u/net/unix", pid);
	if (read_file(path, MOST_TABLE_BYTES, &table) < 0)
		return false;
	char *rest = table.data;
	for (char *line; !*ret_pid && (line = strsep(&rest, "\n"));) {
		uint64_t inode = listens_at(line, name);

		/* One whose path another has taken over is still there. */
		*ret_pid = inode ? accepter(p, inode, pid) : 0;
	}
	buf_addf(b, "unix %s", name);
	return true;
}

static void add_process(struct buf *b, uint32_t pid)
{
	_cleanup_(buf_done) struct buf comm = BUF_INIT;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	read_file(path, 64, &comm);
	buf_addf(b, "%u", pid);
	if (comm.len)
		buf_addf(b, " (%.*s)", (int)strcspn(comm.data, "\n"), comm.data);
}

void peers_pipe(struct peers *p, uint32_t pid, uint64_t inode, bool writers, struct buf *b,
		uint32_t *ret_pid)
{
	enum { NAMED = 4 };
	size_t count, found = 0;
	bool own = false;

	*ret_pid = 0;
	walk(p);
	const struct holder *h = holders_of(&p->holders, inode, &count);
	for (size_t i = 0; i < count; i++) {
		if (!(writers ? h[i].writes : h[i].reads))
			continue;
		if (h[i].pid == pid) {
			own = true;
			continue;
		}
		if (found < NAMED) {
			buf_addstr(b, found ? ", " : writers ? "from " : "to ");
			add_process(b, h[i].pid);
		}
		*ret_pid = found++ ? 0 : h[i].pid;
	}
	if (found > NAMED)
		buf_addf(b, " and %zu more", found - NAMED);
	if (found)
		return;
	/* Where nobody is seen to hold it, somebody does whose descriptors one may not see: else the call would have returned. */
	*ret_pid = own ? pid : 0;
	if (own)
		buf_addstr(b, writers ? "from this process alone" : "to this process alone");
	else
		buf_addstr(b, writers ? "from another process" : "to another process");
}
