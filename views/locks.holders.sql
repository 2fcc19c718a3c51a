-- SPDX-License-Identifier: BSD-2-Clause
-- title: Who holds these locks: whose giving back ended the waits, and in which functions
WITH waiting AS MATERIALIZED (
	SELECT DISTINCT stack FROM lock_wait WHERE kind = 'lock' UNION SELECT stack FROM wait_stack WHERE cause = 'kernel_lock'),
ended AS MATERIALIZED (
	SELECT w.*, t.process FROM waker_total w JOIN thread t ON t.task = w.task
	WHERE w.stack IN (SELECT stack FROM waiting) AND w.other_task <> w.task AND NOT t.own)
SELECT sum(e.ns) AS waited_ns, sum(e.count) AS waits, p.comm AS process, p.pid, w.function AS wanted_in, h.comm AS holder, h.tid,
	g.function AS held_in, r.name AS lock
FROM ended e JOIN process p ON p.id = e.process JOIN thread h ON h.task = e.other_task LEFT JOIN resource r ON r.id = e.resource
	LEFT JOIN stack_speaker w ON w.stack = e.stack LEFT JOIN stack_speaker g ON g.stack = e.other_stack
GROUP BY e.process, e.resource, w.function, e.other_task, g.function ORDER BY waited_ns DESC;
