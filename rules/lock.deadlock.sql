-- SPDX-License-Identifier: BSD-2-Clause
-- title: A cycle of threads wait for each other for ever
-- summary: {who} {waits} for {whom} for ever{behind}
-- explain: When a recording ends, processes whose threads have slept on locks for long are looked at: who holds each lock
--    is written in its memory; of Java's monitors and java.util.concurrent, in the virtual machine's; of files' locks, in
--    /proc/locks; a lock of Python is held by the thread that has yet to come out of its `with`. Where nothing names the holder, as of Rust's and of semaphores, it is looked for who has the
--    lock's address on the stack, and they only seem to wait for each other. Threads that form a circle, and of which none went on
--    between two looks, never will. Goroutines, whose locks put no thread to sleep, are looked at likewise.
--    So are processes of which each waits for another one's data, for room in a pipe that the other one alone would empty, or for its end.
-- threshold threads = 1: in the circle; one thread that takes a lock twice is a circle, too
-- action: Nothing but a restart of {comm} (pid {pid}) ends it; keep its state first: perfscope threads -p {pid}
-- action: {advice}
-- runbook: deadlock
WITH cycle AS (
	SELECT e.detail, json_extract(e.detail, '$.pid') AS pid, json_extract(e.detail, '$.comm') AS comm,
		json_extract(e.detail, '$.behind') AS behind, json_array_length(e.detail, '$.threads') AS count,
		(SELECT cgroup FROM thread WHERE task = e.task) AS cgroup
	FROM event e WHERE e.kind = 'deadlock' AND json_valid(e.detail)),
-- Who waits for a child is where it goes wrong.
member AS MATERIALIZED (
	SELECT c.detail, t.value, json_extract(t.value, '$.kind') AS kind, json_extract(t.value, '$.comm') AS name,
		coalesce(json_extract(t.value, '$.pid'), c.pid) AS of
	FROM cycle c, json_each(c.detail, '$.threads') t ORDER BY json_extract(t.value, '$.kind') = 'child' DESC, t.key),
-- What waits for data, not for locks.
told AS MATERIALIZED (
	SELECT detail, max(kind IN ('pipe', 'socket', 'child')) AS piped, max(kind = 'child') AS awaits_end,
		count(*) = 1 AS alone, iif(min(kind = 'socket'), 'socket', 'pipe') AS medium,
		iif(count(*) = 2, group_concat(name, ' and '), group_concat(name, ', ')) AS processes
	FROM member GROUP BY detail)
SELECT 'failing' AS urgency, 1.0 AS impact, pid, comm, iif(o.piped, o.processes, iif(count = 1, 'one ', count || ' ')
		|| coalesce(json_extract(detail, '$.threads[0].what'), 'thread') || iif(count = 1, '', 's') || ' of ' || comm) AS who,
	CASE WHEN o.awaits_end THEN 'Read what a child writes until it closes its output, and close its input, before waiting for its end: in Python, '
			|| 'communicate() instead of wait()'
		WHEN o.piped AND o.alone THEN 'Close the end of the ' || o.medium || ' that is not used, above all after fork(): only then does the other see its end'
		WHEN o.piped THEN 'Read answers while there is more to send: by poll() with O_NONBLOCK, or in a thread of its own; flush what has been written before reading'
		ELSE 'Take these locks in the same order everywhere, or take the second with a time limit' END AS advice,
	iif(count = 1, 'itself', 'each other') AS whom,
	iif(behind > 0, printf(', and %d more %s behind them', behind, iif(behind = 1, 'waits', 'wait')), '') AS behind,
	iif((SELECT min(json_extract(t.value, '$.sure')) FROM json_each(detail, '$.threads') t) = 0,
		iif(count = 1, 'seems to wait', 'seem to wait'), iif(count = 1, 'waits', 'wait')) AS waits,
	iif(o.piped, o.medium, 'futex') AS resource_kind,
	(SELECT group_concat(iif(m.kind = 'pipe', 'pipe ', '') || json_extract(m.value, '$.lock'), ', ') FROM member m
		WHERE m.detail = cycle.detail) AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT DISTINCT json_object('role', 'culprit', 'pid', t.of,
			'tid', iif(json_extract(t.value, '$.what') = 'goroutine', pid, json_extract(t.value, '$.tid')),
			'comm', iif(json_extract(t.value, '$.what') = 'goroutine', comm, json_extract(t.value, '$.comm')), 'cgroup', coalesce(cgroup, '')) AS x
		FROM member t WHERE t.detail = cycle.detail)) AS affected,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('metric', coalesce(json_extract(t.value, '$.what'), 'thread') || ' ' || json_extract(t.value, '$.tid')
			|| iif(json_extract(t.value, '$.what') = 'goroutine', ' (' || json_extract(t.value, '$.comm') || ')', '') || ' waits for '
			|| json_extract(t.value, '$.kind') || ' ' || json_extract(t.value, '$.lock'),
			'value', json_extract(t.value, '$.seconds'), 'unit', 's') AS x
		FROM json_each(detail, '$.threads') t
		UNION ALL SELECT u.evidence FROM unanswered_evidence u JOIN process p ON p.id = u.process WHERE p.pid = cycle.pid)) AS evidence,
	(SELECT json_group_array(json_object('role', 'waiter', 'weight_ms', 1000 * json_extract(t.value, '$.seconds'),
			'frames', json_extract(t.value, '$.frames')))
		FROM json_each(detail, '$.threads') t) AS stacks
FROM cycle JOIN told o USING (detail) WHERE count >= coalesce(:threads, 1);
