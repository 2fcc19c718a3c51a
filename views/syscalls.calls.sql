-- SPDX-License-Identifier: BSD-2-Clause
-- title: System calls of the whole machine by call
-- empty: SELECT coalesce((SELECT 'not recorded: ' || reason FROM unavailable WHERE probe = 'syscalls'),
--    (SELECT 'not recorded: record --syscalls does it' WHERE NOT EXISTS (SELECT 1 FROM metric WHERE name = 'syscall.time')))
SELECT sum(s.value) AS time_ns, sum(s.count) AS calls, sum(s.count) * 1e9 / p.ns AS calls_s, sum(s.value) / sum(s.count) AS mean_ns,
	count(DISTINCT t.process) AS processes, r.name AS call
FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource r ON r.id = s.resource, period p
WHERE m.name = 'syscall.time' AND NOT t.own GROUP BY r.id ORDER BY calls DESC;
