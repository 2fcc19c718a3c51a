-- SPDX-License-Identifier: BSD-2-Clause
-- title: A cycle of threads wait for each other for ever
-- summary: {count} threads of {comm} wait for each other for ever{behind}
-- explain: When a recording ends, processes whose threads have slept on locks for long are looked at: who holds each lock
--    is written in its memory; one of Python is held by the thread that has yet to come out of its `with`. Threads that form a
--    circle, and of which none moved between two looks, never go on. Java's monitors are elsewhere. But of those who wait
--    for a monitor one looks at it now and then; where that happens to two monitors of a process, and nobody lets anyone have
--    them all the time, their holders are among those who wait.
-- threshold all = 0.95: of the period, waiting for a monitor
-- threshold threads = 1: in the circle; one thread that takes a lock twice is a circle, too
-- action: Nothing but a restart of {comm} (pid {pid}) ends it; keep its state first: perfscope threads -p {pid}
-- action: Take these locks in the same order everywhere, or take the second with a time limit
-- runbook: deadlock
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
entering(id) AS (
	SELECT s.id FROM stack s JOIN frame_name n USING (frame) WHERE n.kind = 'elf' AND n.name GLOB '*ObjectMonitor::enter*'
	UNION
	SELECT s.id FROM entering e JOIN stack s ON s.parent = e.id),
-- Exact is how long a thread has waited. Of that the waits that were under way as the recording began or ended have no stack of
-- the program's own; the others are to be for a monitor.
waited AS MATERIALIZED (
	SELECT task, stack, sum(ns) AS ns, stack IN (SELECT id FROM entering) AS enters FROM wait_stack
	WHERE cause = 'lock' AND task IN (SELECT task FROM wait_stack WHERE stack IN (SELECT id FROM entering)) GROUP BY task, stack),
up(leaf, id) AS (
	SELECT DISTINCT stack, stack FROM waited WHERE stack IS NOT NULL
	UNION ALL
	SELECT u.leaf, s.parent FROM up u JOIN stack s USING (id) WHERE s.parent IS NOT NULL),
cut AS MATERIALIZED (
	SELECT u.leaf FROM up u JOIN stack s USING (id) JOIN frame_name n USING (frame) WHERE s.parent IS NULL AND n.kind = 'kernel'),
stuck AS MATERIALIZED (
	SELECT t.process, t.pid, t.process_comm, t.cgroup, t.tid, t.comm, w.task, max(w.enters), x.ns, w.stack
	FROM waited w JOIN thread t USING (task) JOIN thread_wait x ON x.task = w.task AND x.cause = 'lock', span
	WHERE w.task NOT IN (SELECT task FROM waker WHERE other_task IS NOT NULL AND stack IN (SELECT id FROM entering))
	GROUP BY w.task HAVING x.ns >= coalesce(:all, 0.95) * span.ns
		AND sum(w.ns * w.enters) >= coalesce(:all, 0.95) * sum(iif(w.stack IN (SELECT leaf FROM cut), 0, w.ns))),
stuck_walk(task, id, up) AS (
	SELECT task, stack, 0 FROM stuck
	UNION ALL
	SELECT w.task, s.parent, w.up + 1 FROM stuck_walk w JOIN stack s ON s.id = w.id WHERE s.parent IS NOT NULL AND w.up < 128),
cycle AS (
	SELECT e.detail, json_extract(e.detail, '$.pid') AS pid, json_extract(e.detail, '$.comm') AS comm,
		json_extract(e.detail, '$.behind') AS behind, json_array_length(e.detail, '$.threads') AS count,
		(SELECT cgroup FROM thread WHERE task = e.task) AS cgroup
	FROM event e WHERE e.kind = 'deadlock' AND json_valid(e.detail)
	UNION ALL
	SELECT json_object('threads', json_group_array(json_object('tid', k.tid, 'comm', k.comm, 'lock', 'a monitor', 'kind', 'lock',
			'seconds', k.ns / 1e9, 'frames', (SELECT json_group_array(name) FROM (SELECT n.name FROM stuck_walk w
				JOIN stack s USING (id) JOIN frame_name n USING (frame) WHERE w.task = k.task ORDER BY w.up DESC))))),
		k.pid, k.process_comm, 0, count(*), k.cgroup
	FROM stuck k GROUP BY k.process HAVING count(*) > 1)
SELECT 'failing' AS urgency, 1.0 AS impact, pid, comm, count,
	iif(behind > 0, printf(', and %d more %s behind them', behind, iif(behind = 1, 'waits', 'wait')), '') AS behind,
	'futex' AS resource_kind,
	(SELECT group_concat(json_extract(t.value, '$.lock'), ', ') FROM json_each(detail, '$.threads') t) AS resource_name,
	(SELECT json_group_array(json_object('role', 'culprit', 'pid', pid, 'tid', json_extract(t.value, '$.tid'),
			'comm', json_extract(t.value, '$.comm'), 'cgroup', coalesce(cgroup, '')))
		FROM json_each(detail, '$.threads') t) AS affected,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('metric', 'thread ' || json_extract(t.value, '$.tid') || ' waits for '
			|| json_extract(t.value, '$.kind') || ' ' || json_extract(t.value, '$.lock'),
			'value', json_extract(t.value, '$.seconds'), 'unit', 's') AS x
		FROM json_each(detail, '$.threads') t
		UNION ALL SELECT u.evidence FROM unanswered_evidence u JOIN process p ON p.id = u.process WHERE p.pid = cycle.pid)) AS evidence,
	(SELECT json_group_array(json_object('role', 'waiter', 'weight_ms', 1000 * json_extract(t.value, '$.seconds'),
			'frames', json_extract(t.value, '$.frames')))
		FROM json_each(detail, '$.threads') t) AS stacks
FROM cycle WHERE count >= coalesce(:threads, 1);
