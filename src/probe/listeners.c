// SPDX-License-Identifier: BSD-2-Clause
/* Queues of listening TCP sockets: connections that wait to be accepted, and those lost because the queue was full. */
#include <dirent.h>
#include <errno.h>
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "gauges.h"
#include "mem.h"
#include "probe.h"

enum { QUEUE, QUEUE_MOST, DROPS };

enum {
	LISTEN = 10,         /* the kernel's TCP_LISTEN */
	SOCKETS_MOST = 4096, /* of one process */
	ANSWER_BYTES = 32768,
};

DEFINE_CLEANUP(DIR *, closedir)

struct listeners_state {
	struct probe_state probe;
	int fd; /* of netlink */
	struct gauge_sets sets;
};

static int ask(int fd, int family)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} question = {
		.head = {.nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << LISTEN,
			 .idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1)}};

	return send(fd, &question, sizeof(question), 0) < 0 ? -errno : 0;
}

/* Connections that this listener has lost since it was opened. */
static uint32_t drops_of(const struct nlmsghdr *head, const struct inet_diag_msg *m)
{
	const struct rtattr *a = (const struct rtattr *)(m + 1);
	int rest = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));

	for (; RTA_OK(a, rest); a = RTA_NEXT(a, rest)) {
		const uint32_t *values = RTA_DATA(a);

		if (a->rta_type == INET_DIAG_SKMEMINFO && RTA_PAYLOAD(a) > SK_MEMINFO_DROPS * sizeof(*values))
			return values[SK_MEMINFO_DROPS];
	}
	return 0;
}

/* Does the process hold the socket? */
static bool holds(uint32_t pid, const char *socket)
{
	char path[64], target[64];
	struct dirent *entry;
	int left = SOCKETS_MOST;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	_cleanup_(closedirp) DIR *directory = opendir(path);
	while (directory && left-- && (entry = readdir(directory))) {
		ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = 0;
		if (!strcmp(target, socket))
			return true;
	}
	return false;
}

/* Only for listeners in trouble: it looks at all open files of all processes. */
static const struct thread *owner_of(struct capture *c, uint32_t inode)
{
	char socket[32];

	snprintf(socket, sizeof(socket), "socket:[%u]", inode);
	for (uint32_t i = 0; i < tasks_count(c->tasks); i++) {
		const struct thread *t = tasks_get(c->tasks, i);

		if (t->tid == t->process->pid && t->end_ns == UINT64_MAX && !(t->process->flags & (PROCESS_KERNEL | PROCESS_OWN)) &&
		    holds(t->tid, socket))
			return t;
	}
	return NULL;
}

static void add_drops(struct capture *c, struct listeners_state *s, struct gauge_set *set, uint32_t inode, uint64_t drops)
{
	const struct thread *owner = owner_of(c, inode);

	if (!owner || !c->filter || owner->process->selected)
		capture_add(c, s->probe.first_metric + DROPS, owner ? owner->id : 0, 0, set->resource, drops, drops);
}

static void add(struct capture *c, struct listeners_state *s, const struct nlmsghdr *head, const struct inet_diag_msg *m,
		bool write)
{
	char address[INET6_ADDRSTRLEN] = "?", key[64], name[INET6_ADDRSTRLEN + 16];
	bool is_new;

	snprintf(key, sizeof(key), "%u", m->idiag_inode);
	struct gauge_set *set = gauge_sets_get(&s->sets, key, &is_new);
	if (!set)
		return;
	if (is_new) {
		inet_ntop(m->idiag_family, m->id.idiag_src, address, sizeof(address));
		snprintf(name, sizeof(name), m->idiag_family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
			 ntohs(m->id.idiag_sport));
		set->resource = capture_resource(c, "listener", name);
		/* One that was opened after the start begins with none. */
		if (write)
			gauge_growth(set, DROPS, 0);
	}
	uint64_t drops = (uint64_t)gauge_growth(set, DROPS, drops_of(head, m));
	if (!write)
		return;
	if (drops)
		add_drops(c, s, set, m->idiag_inode, drops);
	if (m->idiag_rqueue || drops) {
		capture_gauge(c, s->probe.first_metric + QUEUE, set->resource, m->idiag_rqueue);
		capture_gauge(c, s->probe.first_metric + QUEUE_MOST, set->resource, m->idiag_wqueue);
	}
}

/* Returns false at the end of the answer. */
static bool take(struct capture *c, struct listeners_state *s, const char *answer, size_t size, bool write)
{
	const struct nlmsghdr *head = (const struct nlmsghdr *)answer;

	for (; NLMSG_OK(head, size); head = NLMSG_NEXT(head, size)) {
		if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR)
			return false;
		if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			add(c, s, head, NLMSG_DATA(head), write);
	}
	return true;
}

static void read_listeners(struct capture *c, struct listeners_state *s, bool write)
{
	static const int families[] = {AF_INET, AF_INET6};
	_cleanup_free_ char *answer = xmalloc(ANSWER_BYTES);

	for (size_t i = 0; i < ARRAY_SIZE(families) && s->fd >= 0; i++) {
		ssize_t n = ask(s->fd, families[i]) < 0 ? -1 : 1;

		while (n > 0 && (n = recv(s->fd, answer, ANSWER_BYTES, 0)) > 0)
			if (!take(c, s, answer, (size_t)n, write))
				break;
	}
}

static void start(struct capture *c, void *arg)
{
	struct listeners_state *s = arg;

	s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	/* An answer that does not come must not hold up the capture. */
	if (s->fd >= 0)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 200000}, sizeof(struct timeval));
	read_listeners(c, s, false);
}

static void slice(struct capture *c, void *arg, uint64_t now_ns)
{
	read_listeners(c, arg, true);
}

static void stop(struct capture *c, void *arg)
{
	struct listeners_state *s = arg;

	if (s->fd > 0)
		close(s->fd);
	gauge_sets_done(&s->sets);
}

const struct probe probe_listeners = {
	.name = "listeners",
	.help = "connections that wait to be accepted, and those lost because a listener's queue was full",
	.metrics = (const struct probe_metric[]){
		[QUEUE] = {"listen.queue", "connections", "waiting to be accepted, at the end of the slice"},
		[QUEUE_MOST] = {"listen.queue_most", "connections", "room in the queue, where some wait"},
		[DROPS] = {"listen.drops", "count", "connections lost by a listener, and whose it is"},
		{0}},
	.state_size = sizeof(struct listeners_state),
	.start = start,
	.slice = slice,
	.stop = stop,
};
