// SPDX-License-Identifier: BSD-2-Clause
#include "recording.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "store_query.h"

const char *recording_path(const struct call *call)
{
	return call->operands.count ? call->operands.items[0] : DEFAULT_RECORDING;
}

int recording_select(struct store *s, const struct select_options *o)
{
	uint64_t start = (uint64_t)store_meta_int(s, "start_wall_ns");
	int64_t length;
	int r = query_one_int(s, "SELECT max(end_ns) FROM slice", -1, &length);

	if (r < 0)
		return r;
	if (length < 0)
		return failx(-ENODATA, "%s: the recording was cut off before its first slice", store_path(s));
	struct selection selection = {
		.from_ns = option_time_in(&o->from, start, start + (uint64_t)length, 0),
		.to_ns = option_time_in(&o->to, start, start + (uint64_t)length, 0),
		.pid = (uint32_t)o->pid, .cgroup = o->cgroup};
	if (o->to.kind != TIME_UNSET && selection.to_ns <= selection.from_ns)
		return failx(-EINVAL, "%s: nothing lies between --from and --to", store_path(s));
	return store_select(s, &selection);
}

int recording_open(const char *path, const struct select_options *select, struct store **ret_store)
{
	_cleanup_(store_freep) struct store *s = NULL;
	int r = store_open(path, &s);

	if (r == -ENOENT && !strcmp(path, DEFAULT_RECORDING) && access(path, F_OK) < 0) /* SQLite says so of what lies beside it, too */
		return failx(r, "there is no " DEFAULT_RECORDING " in this folder: 'perfscope record' makes one, or name a FILE");
	if (r < 0 || (r = recording_select(s, select)) < 0)
		return r;
	*ret_store = s;
	s = NULL;
	return 0;
}

void recording_describe(struct store *s, const struct select_options *select, struct buf *text)
{
	int64_t start = 0, ns = 0;
	char host[256], when[21];

	query_one_int(s, "SELECT start_ns FROM period", 0, &start);
	query_one_int(s, "SELECT ns FROM period", 0, &ns);
	clock_format_utc((uint64_t)store_meta_int(s, "start_wall_ns") + (uint64_t)start, when);
	buf_addf(text, "%s, %s, %.*f s", store_meta_text(s, "host", host, sizeof(host)), when,
		 ns < (int64_t)(10 * NS_PER_S) ? 2 : 1, (double)ns / (double)NS_PER_S);
	if (select->pid)
		buf_addf(text, ", process %llu with its children", (unsigned long long)select->pid);
	if (select->cgroup)
		buf_addf(text, ", cgroup %s", select->cgroup);
	if (select->from.kind != TIME_UNSET || select->to.kind != TIME_UNSET)
		buf_addf(text, " (from second %.*f of the recording)", start % (int64_t)NS_PER_S ? 1 : 0,
			 (double)start / (double)NS_PER_S);
}
