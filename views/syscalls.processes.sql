-- SPDX-License-Identifier: BSD-2-Clause
-- title: System calls by process and call, waiting included (recorded with record --syscalls)
-- empty: SELECT coalesce((SELECT 'not recorded: ' || reason FROM unavailable WHERE probe = 'syscalls'),
--    (SELECT 'not recorded: record --syscalls does it' WHERE NOT EXISTS (SELECT 1 FROM metric WHERE name = 'syscall.time')))
WITH call AS MATERIALIZED (
	SELECT t.process, r.name AS call, sum(s.count) AS count, sum(s.value) AS ns
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource r ON r.id = s.resource
	WHERE m.name = 'syscall.time' AND NOT t.own GROUP BY t.process, r.id),
error AS MATERIALIZED (
	SELECT process, call, sum(count) AS count, max(count) AS most, name FROM (
		SELECT t.process, substr(r.name, 1, instr(r.name, ' ') - 1) AS call, substr(r.name, instr(r.name, ' ') + 1) AS name,
			sum(s.count) AS count
		FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource r ON r.id = s.resource
		WHERE m.name = 'syscall.errors' GROUP BY t.process, r.id)
	GROUP BY process, call)
SELECT c.ns AS time_ns, c.count AS calls, c.count * 1e9 / p.ns AS calls_s, c.ns / c.count AS mean_ns, e.count AS errors, e.name AS mostly,
	q.comm AS process, q.pid, c.call
FROM call c JOIN process q ON q.id = c.process LEFT JOIN error e ON e.process = c.process AND e.call = c.call, period p
ORDER BY c.ns DESC;
