-- SPDX-License-Identifier: BSD-2-Clause
-- title: Writers are held back because too many pages are dirty
-- summary: {comm} is held back {share} % of its time until {disk} has written what is dirty
-- explain: Who dirties page cache faster than the disk can write is put to sleep by the kernel for a while with each write.
--    For one job alone that merely is faster than its disk that is as it should be, and is only mentioned. It does harm
--    when several threads are held back, when others wait for the process, or when the limit is so small that no
--    burst fits. Processes that one parent has made, of one name, are one job, however short each of them lives.
-- threshold share = 0.2: of the time that the threads are neither idle nor in line behind one that is held back and keeps the
--    file's lock; less is not felt
-- threshold total = 0.1: of the period, summed over the threads; below that nobody notices
-- threshold limit = 0.02: of the memory, that may be dirty; the kernel's own choice is a tenth to a fifth
-- threshold client = 0.3: of the period that a thread waits for the process; below that it has other work to do
-- action: See who writes what: perfscope flamegraph --kind disk -p {pid}
-- action: Look at the limits: sysctl vm.dirty_ratio vm.dirty_bytes vm.dirty_background_ratio vm.dirty_background_bytes; a cgroup's
--    memory.max sets one, too
-- action: Write less, or let the disk begin earlier: sync_file_range, or O_DIRECT for what nobody reads again
-- runbook: slow-disk
WITH span AS MATERIALIZED (SELECT ns FROM period),
held_one AS MATERIALIZED (
	SELECT w.task, w.process AS own_process, w.ns, s.running + s.runnable + s.held_up
		- ifnull((SELECT ns FROM thread_wait l WHERE l.task = w.task AND l.cause = 'kernel_lock'), 0) AS active
	FROM thread_wait w JOIN thread_state s ON s.task = w.task, span
	WHERE w.cause = 'dirty' AND NOT w.own AND NOT w.kernel AND w.ns >= 0.01 * span.ns),
kin AS MATERIALIZED (
	SELECT h.own_process, ifnull(p.start_ns, 0) AS start_ns, p.end_ns,
		first_value(h.own_process) OVER (PARTITION BY iif(p.ppid > 1, p.ppid, -p.id), p.comm ORDER BY sum(h.ns) DESC) AS process
	FROM held_one h JOIN process p ON p.id = h.own_process GROUP BY h.own_process),
held AS MATERIALIZED (SELECT h.*, k.process, k.start_ns, k.end_ns FROM held_one h JOIN kin k USING (own_process)),
-- How many of them at a time: those that are there when one begins.
together AS MATERIALIZED (
	SELECT process, max(threads) AS threads FROM (
		SELECT a.process, count(*) AS threads FROM held a JOIN held b ON b.process = a.process AND b.start_ns <= a.start_ns
			AND (b.end_ns IS NULL OR b.end_ns > a.start_ns)
		GROUP BY a.task) GROUP BY process),
place AS MATERIALIZED (
	SELECT h.process, w.resource, sum(w.ns) AS ns FROM wait_stack w JOIN held h ON h.task = w.task
	WHERE w.cause = 'dirty' AND w.resource IS NOT NULL GROUP BY h.process, w.resource),
found AS MATERIALIZED (
	SELECT h.process, sum(h.ns) AS ns, sum(h.ns) * 1.0 / sum(h.active) AS share,
		(SELECT threads FROM together g WHERE g.process = h.process) AS threads,
		(SELECT resource FROM place p WHERE p.process = h.process ORDER BY p.ns DESC LIMIT 1) AS disk
	FROM held h, span GROUP BY h.process
	HAVING sum(h.ns) >= coalesce(:share, 0.2) * sum(h.active) AND sum(h.ns) >= coalesce(:total, 0.1) * span.ns),
dirtied AS MATERIALIZED (
	SELECT k.process, sum(x.value) AS bytes FROM sample_total x JOIN metric m ON m.id = x.metric JOIN thread t ON t.task = x.task
	JOIN kin k ON k.own_process = t.process WHERE m.name = 'io.dirtied' GROUP BY k.process),
client AS MATERIALIZED (
	SELECT k.process, b.task FROM woken_by b JOIN thread t ON t.task = b.other_task JOIN kin k ON k.own_process = t.process
	JOIN thread v ON v.task = b.task JOIN process c ON c.id = v.process JOIN process q ON q.id = t.process, span
	-- The shell that starts one after the other, and the others of the job, are no clients.
	WHERE v.process NOT IN (SELECT own_process FROM kin x WHERE x.process = k.process) AND c.pid IS NOT q.ppid AND NOT v.own AND NOT v.kernel AND b.ns >= coalesce(:client, 0.3) * span.ns
		AND b.count * 1e9 >= 5 * span.ns),
level_of AS MATERIALIZED (
	SELECT (SELECT value FROM gauge_row g JOIN metric m ON m.id = g.metric WHERE m.name = 'memory.dirty_limit' ORDER BY slice DESC LIMIT 1) AS bytes,
		(SELECT value FROM gauge_row g JOIN metric m ON m.id = g.metric WHERE m.name = 'memory.total' ORDER BY slice DESC LIMIT 1) AS memory),
busy AS MATERIALIZED (
	SELECT g.resource, sum(g.value * (s.end_ns - s.start_ns)) / span.ns AS busy
	FROM gauge_row g JOIN metric m ON m.id = g.metric JOIN slice s ON s.id = g.slice, span
	WHERE m.name = 'disk.busy' GROUP BY g.resource)
SELECT iif((SELECT sum(threads) FROM found g WHERE g.disk IS f.disk) > 1 OR f.process IN (SELECT process FROM client)
		OR l.bytes < coalesce(:limit, 0.02) * l.memory, 'waited', 'none') AS urgency,
	min(1, f.share) AS impact, p.comm, p.pid, printf('%.0f', 100 * f.share) AS share, ifnull(r.name, 'the disk') AS disk,
	'disk' AS resource_kind, ifnull(r.name, '') AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup) AS x
			FROM held h JOIN thread t USING (task) WHERE h.process = f.process ORDER BY h.ns DESC LIMIT 10)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM client c JOIN thread t USING (task) WHERE c.process = f.process LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'held back', 'value', 100 * f.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.2)),
		json_object('metric', 'threads held back at a time', 'value', f.ns * 1.0 / span.ns, 'unit', 'threads',
			'threshold', coalesce(:total, 0.1)),
		json_object('metric', 'pages dirtied by ' || p.comm, 'value', ifnull(d.bytes, 0) * 1e9 / span.ns / 1e6, 'unit', 'MB/s'),
		json_object('metric', 'limit of dirty pages', 'value', l.bytes / 1e6, 'unit', 'MB', 'threshold', coalesce(:limit, 0.02) * l.memory / 1e6),
		json_object('metric', 'disk busy', 'value', ifnull(b.busy, 0), 'unit', '%')) AS evidence,
	json_array(json_object('role', 'waiter', 'metric', 'wait.dirty', 'process', f.process, 'function', '')) AS stacks
FROM found f JOIN process p ON p.id = f.process LEFT JOIN resource r ON r.id = f.disk LEFT JOIN busy b ON b.resource = f.disk
	LEFT JOIN dirtied d ON d.process = f.process, level_of l, span
ORDER BY f.ns DESC LIMIT 5;
