-- SPDX-License-Identifier: BSD-2-Clause
-- title: Locks of the kernel, and the time lost to them by all their waiters, asleep or spinning on a CPU
-- histogram: of the sleeps, below 1 us, below 4 us, ..., below 4 s, and longer
WITH lost AS MATERIALIZED (
	SELECT k.*, t.process, ifnull(k.resource, -t.process) AS lock FROM kernel_lock_wait k JOIN thread t ON t.task = k.task
	WHERE NOT t.own AND k.ns > 0),
worst AS MATERIALIZED (
	SELECT lock, process, max(ns) FROM (SELECT lock, process, sum(ns) AS ns FROM lost GROUP BY lock, process) GROUP BY lock),
wanted AS MATERIALIZED (
	SELECT lock, taker, max(ns) FROM (SELECT lock, taker, sum(ns) AS ns FROM lost WHERE taker IS NOT NULL GROUP BY lock, taker)
	GROUP BY lock)
SELECT sum(k.ns) AS lost_ns, nullif(sum(iif(k.spins, k.ns, 0)), 0) AS spun_ns, sum(iif(k.spins, 0, k.count)) AS waits,
	count(DISTINCT k.task) AS waiters, l.p50 AS p50_ns, l.p99 AS p99_ns, l.histogram, p.comm AS process, p.pid,
	ifnull(r.name, 'not known') || ifnull(' (' || n.taker || ')', '') AS lock
FROM lost k JOIN worst b USING (lock) JOIN process p ON p.id = b.process LEFT JOIN resource r ON r.id = k.resource
	LEFT JOIN wanted n USING (lock) LEFT JOIN latency_shape l ON l.metric = 'wait.kernel_lock' AND l.resource = k.resource
GROUP BY k.lock ORDER BY lost_ns DESC;
