-- SPDX-License-Identifier: BSD-2-Clause
-- title: Condition variables, semaphores, joins and futexes of unknown kind: waited on for work, mostly
WITH waited AS MATERIALIZED (
	SELECT w.*, t.process FROM lock_wait w JOIN thread t ON t.task = w.task WHERE w.kind <> 'lock' AND NOT t.own AND w.ns > 0)
SELECT sum(w.ns) AS waited_ns, sum(w.count) AS waits, count(DISTINCT w.task) AS waiters, nullif(w.kind, '') AS kind, p.comm AS process, p.pid,
	s.function AS waited_in, r.name AS address
FROM waited w JOIN process p ON p.id = w.process LEFT JOIN stack_speaker s ON s.stack = w.stack LEFT JOIN resource r ON r.id = w.resource
GROUP BY w.process, w.resource, w.kind, s.function ORDER BY waited_ns DESC;
