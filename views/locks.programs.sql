-- SPDX-License-Identifier: BSD-2-Clause
-- title: Locks of programs, and the time lost to them by all their waiters
-- histogram: waits below 1 us, below 4 us, ..., below 4 s, and longer
WITH waited AS MATERIALIZED (
	SELECT w.*, t.process, ifnull(w.resource, -t.process) AS lock FROM lock_wait w JOIN thread t ON t.task = w.task
	WHERE w.kind = 'lock' AND NOT t.own AND w.ns > 0),
worst AS MATERIALIZED (
	SELECT lock, process, max(ns) FROM (SELECT lock, process, sum(ns) AS ns FROM waited GROUP BY lock, process) GROUP BY lock)
SELECT sum(w.ns) AS lost_ns, sum(w.count) AS waits, count(DISTINCT w.task) AS waiters, l.p50 AS p50_ns, l.p99 AS p99_ns,
	l.histogram, p.comm AS process, p.pid, ifnull(r.name, 'not known') AS lock
FROM waited w JOIN worst b USING (lock) JOIN process p ON p.id = b.process LEFT JOIN resource r ON r.id = w.resource
	LEFT JOIN latency_shape l ON l.metric = 'wait.lock' AND l.resource = w.resource
GROUP BY w.lock ORDER BY lost_ns DESC;
