-- SPDX-License-Identifier: BSD-2-Clause
-- title: Threads are held up because they have to free memory before they get some
-- summary: {comm} spends {share} % of its time making room in memory{where}
-- explain: Time in direct reclaim and compaction is exact, thread by thread, split by whether the machine's memory was short or the
--    limit of a cgroup was met. What kswapd does beside the work holds nobody up and does not count.
--    Whoever reads a large file once drops pages that nobody wants again, and is not short of memory: what counts is that
--    pages are read again soon after they had to go, or that making room takes more than a stream through the cache costs.
--    Each cgroup that is short of memory is a finding, and so is the machine.
-- threshold share = 0.05: of the period, by one thread, or by a program that is started again and again; below that nobody notices
-- threshold much = 0.3: of the period, whether or not pages are wanted again; a stream through the cache takes half of that
-- threshold refaults = 4: MiB a second of pages that are wanted again; a stream through the cache has none
-- threshold held = 0.25: of the memory that there is, resident in one process; with less, it is the cache that fills it
-- threshold count = 20: times; a single long one is the start of a program
-- action: {advice}
-- action: See who makes the demand: perfscope flamegraph -p {pid}
-- runbook: memory-pressure
WITH span AS MATERIALIZED (SELECT ns FROM period),
stall AS MATERIALIZED (
	SELECT th.task, th.tid, th.comm AS thread, th.process, th.pid, th.process_comm AS comm, th.cgroup,
		sum(s.value) AS own_ns, sum(s.count) AS own_count, sum(iif(m.name = 'reclaim.cgroup', s.value, 0)) AS own_cgroup_ns,
		iif(p.end_ns IS NULL, th.task, p.ppid || ' ' || p.comm) AS program
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread th ON th.task = s.task JOIN process p ON p.id = th.process
	WHERE m.name GLOB 'reclaim.*' AND NOT th.own GROUP BY th.task),
held_up AS MATERIALIZED (
	SELECT s.*, s.ns * 1.0 / span.ns AS share FROM (
		SELECT *, sum(own_ns) OVER same AS ns, sum(own_count) OVER same AS count, sum(own_cgroup_ns) OVER same AS cgroup_ns
		FROM stall WINDOW same AS (PARTITION BY program)) s, span
	WHERE s.ns >= coalesce(:share, 0.05) * span.ns AND s.count >= coalesce(:count, 20)),
-- Where memory is short: the tightest limit that each is under; NULL: the machine.
placed AS MATERIALIZED (
	SELECT h.*, l.resource AS path, l.value AS bytes, max(length(l.resource))
	FROM held_up h LEFT JOIN level l ON l.metric = 'cgroup.memory_limit' AND l.value > 0 AND 2 * h.cgroup_ns > h.ns
		AND (h.cgroup = l.resource OR substr(h.cgroup, 1, length(l.resource) + 1) = l.resource || '/')
	GROUP BY h.task),
worst AS MATERIALIZED (
	SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY path ORDER BY ns DESC, own_ns DESC) AS of_path,
			row_number() OVER (PARTITION BY program ORDER BY own_ns DESC) AS of_program FROM placed)
	WHERE of_path = 1 AND of_program = 1),
-- Of the machine where cgroups do not tell.
refault AS MATERIALIZED (
	SELECT w.task AS place, ifnull(sum(l.value), 0) / 1048576 * 1e9 / span.ns AS rate
	FROM worst w JOIN span LEFT JOIN level l ON iif(w.path IS NULL OR NOT EXISTS (SELECT 1 FROM level WHERE metric = 'cgroup.memory_refaults'),
		l.metric = 'memory.refaults', l.metric = 'cgroup.memory_refaults' AND l.resource = w.path)
	GROUP BY w.task),
-- Who holds most of the memory that is short; where it is mostly cache, who fills that.
resident AS MATERIALIZED (
	SELECT th.process, th.pid, th.process_comm AS comm, th.cgroup, max(s.value) AS bytes
	FROM sample_level s JOIN metric m ON m.id = s.metric JOIN thread th ON th.task = s.task
	WHERE m.name = 'memory.resident' AND NOT th.own GROUP BY th.process),
holder AS MATERIALIZED (
	SELECT w.task AS place, r.*, row_number() OVER (PARTITION BY w.task ORDER BY
			iif(r.bytes >= coalesce(:held, 0.25) * ifnull(w.bytes, (SELECT value FROM meta WHERE key = 'memory_bytes')), r.bytes, 0) DESC,
			r.process = w.process DESC, r.bytes DESC) AS rank
	FROM worst w JOIN resident r ON w.path IS NULL OR r.cgroup = w.path OR substr(r.cgroup, 1, length(w.path) + 1) = w.path || '/')
SELECT 'waited' AS urgency, w.share AS impact, w.comm, w.pid, printf('%.0f', 100 * w.share) AS share,
	iif(w.path IS NULL, '', printf(': %s may use %.0f MiB', w.path, w.bytes / 1048576)) AS "where",
	iif(w.path IS NULL, 'Give the machine more memory, or run less on it at a time',
		'Raise the memory limit of ' || w.path || ', or let what runs in it use less') AS advice,
	iif(w.path IS NULL, 'memory', 'cgroup') AS resource_kind, ifnull(w.path, 'machine') AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', pid, 'tid', 0, 'comm', comm, 'cgroup', cgroup) AS x FROM (
			SELECT * FROM holder WHERE place = w.task AND rank <= 3 ORDER BY rank)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', pid, 'tid', 0, 'comm', comm, 'cgroup', cgroup)
			FROM placed WHERE path IS w.path GROUP BY process ORDER BY sum(own_ns) DESC LIMIT 8))) AS affected,
	json_array(
		json_object('metric', 'time of ' || w.thread || ' making room', 'value', 100 * w.share, 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.05)),
		json_object('metric', 'times', 'value', w.count, 'unit', 'count', 'threshold', coalesce(:count, 20)),
		json_object('metric', 'pages read again after they had to go', 'value', f.rate, 'unit', 'MiB/s',
			'threshold', coalesce(:refaults, 4)),
		json_object('metric', 'threads so held up', 'value', (SELECT count(*) FROM placed WHERE path IS w.path), 'unit', 'threads'),
		json_object('metric', 'of that, by the limit of a cgroup', 'value', 100.0 * w.cgroup_ns / w.ns, 'unit', '%'),
		json_object('metric', 'resident memory of ' || ifnull(g.comm, 'the largest'), 'value', ifnull(g.bytes, 0) / 1048576.0, 'unit', 'MiB')) AS evidence,
	json_array(json_object('role', 'victim', 'metric', 'cpu.time', 'task', w.task)) AS stacks
FROM worst w JOIN refault f ON f.place = w.task LEFT JOIN holder g ON g.place = w.task AND g.rank = 1
WHERE f.rate >= coalesce(:refaults, 4) OR w.share >= coalesce(:much, 0.3);
