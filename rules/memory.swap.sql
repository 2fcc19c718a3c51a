-- SPDX-License-Identifier: BSD-2-Clause
-- title: Threads wait for pages that had to go and are wanted again
-- summary: {who} waits {share} % of its time for pages that come back from {from}{where}
-- explain: Looks at the time that threads are blocked in page faults, and in reads that fill the page cache, while pages are
--    read again soon after they had to go (refaults) or come back from swap. What is read for the first time,
--    as by a program that starts or by a copy, is not wanted again and does not count. Exact for faults of user code. A page that comes back from swap needs room:
--    the time in which that is made counts, too. Each cgroup that is short of memory is a finding, and so is the machine.
-- threshold share = 0.1: of the period, blocked by one thread, or by a program that is started again and again; below that nobody notices
-- threshold refaults = 50: pages a second that are wanted again; fewer are the ordinary change of what is cached
-- threshold rate = 10: waits a second of that thread; one long read alone is none of this
-- threshold filled = 0.7: of the machine's memory, in use by programs, caches and the kernel; where more is free, what had to go went for
--    another reason than want of room: somebody gives memory back ahead of time, or the caches were dropped
-- action: {advice}
-- action: See who waits for which pages: perfscope flamegraph --kind fault -p {pid}
-- runbook: memory-pressure
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
refault AS MATERIALIZED (
	SELECT ifnull(sum(iif(l.metric = 'memory.refaults', l.value, 0)), 0) / 4096 * 1e9 / span.ns AS pages,
		ifnull(sum(iif(l.metric = 'swap.in', l.value, 0)), 0) / 4096 * 1e9 / span.ns AS swapped
	FROM level l, span WHERE l.metric IN ('memory.refaults', 'swap.in')),
page_in(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame)
	WHERE n.kind = 'kernel' AND n.name IN ('filemap_fault', 'do_swap_page', 'swapin_readahead', 'filemap_get_pages', 'filemap_read',
		'generic_file_buffered_read')
	UNION
	SELECT s.id FROM page_in i JOIN stack s ON s.parent = i.id),
stall AS MATERIALIZED (
	SELECT task, sum(ns) AS ns, sum(count) AS count FROM (
		SELECT w.task, w.ns, ifnull((SELECT sum(s.count) FROM wait_stack s WHERE s.task = w.task AND s.cause = 'fault'), 0) AS count
		FROM thread_wait w WHERE w.cause = 'fault'
		UNION ALL
		SELECT w.task, w.ns, w.count FROM wait_stack w WHERE w.cause = 'disk' AND w.stack IN page_in
		UNION ALL
		SELECT s.task, s.value, 0 FROM sample_total s JOIN metric m ON m.id = s.metric, refault f
		WHERE m.name GLOB 'reclaim.*' AND f.swapped > f.pages / 2)
	GROUP BY task),
-- A program that is started again and again waits as one thread does that stays.
held_up AS MATERIALIZED (
	SELECT w.*, min(1.0, w.ns * 1.0 / max(span.ns, w.life)) AS share FROM (
		SELECT *, sum(own_ns) OVER same AS ns, sum(own_count) OVER same AS count, sum(own_life) OVER same AS life FROM (
			SELECT th.*, s.ns AS own_ns, s.count AS own_count, min(ifnull(k.end_ns, 1 << 62), q.end_ns) - max(ifnull(k.start_ns, 0), q.start_ns) AS own_life,
				iif(p.end_ns IS NULL, th.task, ifnull(p.ppid, 'process ' || p.id) || ' ' || p.comm) AS program
			FROM stall s JOIN thread th ON th.task = s.task JOIN process p ON p.id = th.process JOIN task k ON k.id = th.task, period q
			WHERE NOT th.own AND NOT th.kernel)
		WINDOW same AS (PARTITION BY program)) w, span, refault f
	WHERE f.pages + f.swapped >= coalesce(:refaults, 50)
		AND w.ns >= coalesce(:share, 0.1) * max(span.ns, w.life) AND w.count * 1e9 >= coalesce(:rate, 10) * span.ns),
-- The limit that is met: the tightest one above it whose memory is full; NULL: the machine's.
full_limit AS MATERIALIZED (
	SELECT resource AS path, max(iif(metric = 'cgroup.memory_limit', value, 0)) AS bytes FROM level
	WHERE metric IN ('cgroup.memory_limit', 'cgroup.memory') GROUP BY resource
	HAVING bytes > 0 AND max(iif(metric = 'cgroup.memory', value, 0)) >= 0.9 * bytes),
-- Of the machine's memory; 1 where that is not known.
filled AS MATERIALIZED (
	SELECT ifnull(sum(iif(metric <> 'memory.total', mean, 0)) / max(iif(metric = 'memory.total', mean, NULL)), 1) AS share FROM (
		SELECT metric, avg(value) AS mean FROM level
		WHERE metric IN ('memory.total', 'memory.anonymous', 'memory.cached', 'memory.slab') GROUP BY metric)),
placed AS MATERIALIZED (
	SELECT h.*, l.path, l.bytes, max(length(l.path)) FROM held_up h
	LEFT JOIN full_limit l ON h.cgroup = l.path OR substr(h.cgroup, 1, length(l.path) + 1) = l.path || '/'
	WHERE l.path IS NOT NULL OR (SELECT share FROM filled) >= coalesce(:filled, 0.7) GROUP BY h.task),
-- What cgroups at their limits read again counts for each of them, and is none of the machine's.
again AS MATERIALIZED (
	SELECT resource AS path, sum(value) / 4096 * 1e9 / span.ns AS pages FROM level, span WHERE metric = 'cgroup.memory_refaults' GROUP BY resource),
topmost AS MATERIALIZED (
	SELECT ifnull(sum(a.pages), 0) AS pages FROM again a
	WHERE NOT EXISTS (SELECT 1 FROM again b WHERE substr(a.path, 1, length(b.path) + 1) = b.path || '/')),
worst AS MATERIALIZED (
	SELECT p.* FROM (SELECT *, row_number() OVER (PARTITION BY path ORDER BY ns DESC, own_ns DESC) AS of_path FROM placed) p
	LEFT JOIN again a ON a.path = p.path, refault f, topmost t
	WHERE p.of_path = 1 AND f.swapped + coalesce(a.pages, iif(p.path IS NULL, f.pages - t.pages, f.pages)) >= coalesce(:refaults, 50)),
resident AS MATERIALIZED (
	SELECT th.process, th.pid, th.process_comm AS comm, th.cgroup, max(s.value) AS bytes
	FROM sample_level s JOIN metric m ON m.id = s.metric JOIN thread th ON th.task = s.task
	WHERE m.name = 'memory.resident' AND NOT th.own GROUP BY th.process),
holder AS MATERIALIZED (
	SELECT w.task AS place, r.*, row_number() OVER (PARTITION BY w.task ORDER BY r.bytes DESC) AS rank
	FROM worst w JOIN resident r ON w.path IS NULL OR r.cgroup = w.path OR substr(r.cgroup, 1, length(w.path) + 1) = w.path || '/')
SELECT 'waited' AS urgency, w.share AS impact, iif(w.comm = w.process_comm, w.comm, w.comm || ' of ' || w.process_comm) AS who, w.pid, printf('%.0f', 100 * w.share) AS share,
	iif(f.swapped > f.pages / 2, 'swap', 'files') AS "from",
	iif(w.path IS NULL, '', printf(': %s may use %.0f MiB', w.path, w.bytes / 1048576)) AS "where",
	iif(w.path IS NULL, 'Give the machine more memory, or run less on it at a time',
		'Raise the memory limit of ' || w.path || ', or let what runs in it use less') AS advice,
	iif(w.path IS NULL, 'memory', 'cgroup') AS resource_kind, ifnull(w.path, 'machine') AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', pid, 'tid', 0, 'comm', comm, 'cgroup', cgroup) AS x FROM (
			SELECT * FROM holder WHERE place = w.task AND rank <= 3 ORDER BY rank)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', pid, 'tid', 0, 'comm', process_comm, 'cgroup', cgroup)
			FROM placed WHERE path IS w.path GROUP BY process ORDER BY sum(own_ns) DESC LIMIT 8))) AS affected,
	json_array(
		json_object('metric', 'time of ' || w.comm || ' waiting for pages', 'value', 100 * w.share, 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.1)),
		json_object('metric', 'such waits', 'value', w.count * 1e9 / span.ns, 'unit', '/s', 'threshold', coalesce(:rate, 10)),
		json_object('metric', 'pages wanted again after they had to go', 'value', f.pages, 'unit', '/s', 'threshold', coalesce(:refaults, 50)),
		json_object('metric', 'pages that come back from swap', 'value', f.swapped, 'unit', '/s'),
		json_object('metric', 'threads so held up', 'value', (SELECT count(*) FROM placed WHERE path IS w.path), 'unit', 'threads'),
		json_object('metric', 'resident memory of ' || ifnull(g.comm, 'the largest'), 'value', ifnull(g.bytes, 0) / 1048576.0, 'unit', 'MiB')) AS evidence,
	json_array(json_object('role', 'waiter', 'metric', 'wait.fault', 'task', w.task),
		json_object('role', 'waiter', 'metric', 'wait.disk', 'task', w.task)) AS stacks
FROM worst w JOIN span JOIN refault f LEFT JOIN holder g ON g.place = w.task AND g.rank = 1;
