// SPDX-License-Identifier: BSD-2-Clause
#include "rule_helpers.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"
#include "mem.h"
#include "rule.h"
#include "rule_answer.h"

enum { MOST_HELPERS = 3 }; /* each has its own intermediate results in memory */

#define MOST_BYTES (256u << 20) /* of a helper's answers */

/* Writes its answers to a file in memory, each behind its head. */
struct helper {
	pid_t pid;
	int fd;
};

struct head {
	size_t rule, len;
};

struct rule_helpers {
	struct store *store;
	const struct rules *rules;
	const char *const *only;
	atomic_size_t *next; /* rule to ask; shared by all processes */
	struct helper items[MOST_HELPERS];
	size_t count;
	struct buf *answers; /* by rule */
};

static bool is_wanted(const struct rule_helpers *h, const struct rule *rule)
{
	if (!h->only)
		return true;
	for (const char *const *id = h->only; *id; id++)
		if (!strcmp(*id, rule->id))
			return true;
	return false;
}

static void ask(const struct rule_helpers *h, size_t i, struct buf *answer)
{
	if (is_wanted(h, rules_get(h->rules, i)))
		rule_ask(h->store, rules_get(h->rules, i), rules_objectives(h->rules), answer);
}

static int help(const struct rule_helpers *h, int fd)
{
	size_t i;
	int r = 0;

	while (r >= 0 && (i = atomic_fetch_add(h->next, 1)) < rules_count(h->rules)) {
		_cleanup_(buf_done) struct buf answer = BUF_INIT;

		ask(h, i, &answer);
		const struct head head = {.rule = i, .len = answer.len};
		if ((r = write_all(fd, &head, sizeof(head))) >= 0)
			r = write_all(fd, answer.data, answer.len);
	}
	return r;
}

static bool start(struct rule_helpers *h, pid_t parent)
{
	struct helper *helper = &h->items[h->count];

	helper->fd = memfd_create("perfscope-rules", MFD_CLOEXEC);
	if (helper->fd < 0)
		return false;
	helper->pid = fork();
	if (helper->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			help(h, helper->fd);
		_exit(0);
	}
	if (helper->pid < 0)
		close(helper->fd);
	else
		h->count++;
	return helper->pid > 0;
}

static size_t usable_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (size_t)CPU_COUNT(&set);
}

struct rule_helpers *rule_helpers_new(struct store *s, const struct rules *rules, const char *const *only, bool alone)
{
	struct rule_helpers *h = xcalloc(1, sizeof(*h));
	size_t wanted = alone ? 0 : usable_cpus() - 1;
	void *shared = mmap(NULL, sizeof(*h->next), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*h = (struct rule_helpers){.store = s, .rules = rules, .only = only, .next = shared == MAP_FAILED ? NULL : shared,
				   .answers = xcalloc(rules_count(rules) + 1, sizeof(*h->answers))};
	for (size_t i = 0; i < rules_count(rules); i++)
		h->answers[i] = (struct buf)BUF_INIT;
	while (h->next && h->count < MOST_HELPERS && h->count < wanted)
		if (!start(h, getpid()))
			break;
	return h;
}

static void wait_for(const struct helper *helper)
{
	while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void collect(struct rule_helpers *h, const struct helper *helper)
{
	_cleanup_(buf_done) struct buf all = BUF_INIT;
	struct head head;

	wait_for(helper);
	if (lseek(helper->fd, 0, SEEK_SET) < 0 || read_fd(helper->fd, MOST_BYTES, &all) < 0)
		buf_reset(&all);
	for (size_t at = 0; all.len - at >= sizeof(head); at += head.len) {
		memcpy(&head, all.data + at, sizeof(head));
		at += sizeof(head);
		if (head.rule >= rules_count(h->rules) || head.len > all.len - at)
			break;
		buf_add(&h->answers[head.rule], all.data + at, head.len);
	}
	close(helper->fd);
}

const struct buf *rule_helpers_answers(struct rule_helpers *h)
{
	size_t i;

	while (h->count && (i = atomic_fetch_add(h->next, 1)) < rules_count(h->rules))
		ask(h, i, &h->answers[i]);
	while (h->count)
		collect(h, &h->items[--h->count]);
	/* Without helpers, and what one had begun when it was killed. */
	for (i = 0; i < rules_count(h->rules); i++)
		if (!h->answers[i].len)
			ask(h, i, &h->answers[i]);
	return h->answers;
}

void rule_helpers_free(struct rule_helpers *h)
{
	if (!h)
		return;
	for (; h->count; h->count--) {
		kill(h->items[h->count - 1].pid, SIGKILL);
		wait_for(&h->items[h->count - 1]);
		close(h->items[h->count - 1].fd);
	}
	for (size_t i = 0; i < rules_count(h->rules); i++)
		buf_done(&h->answers[i]);
	free(h->answers);
	if (h->next)
		munmap(h->next, sizeof(*h->next));
	free(h);
}
