-- SPDX-License-Identifier: BSD-2-Clause
-- title: Soft interrupts by CPU and kind; delay: from being raised until they run (recorded with record --softirqs)
WITH told AS MATERIALIZED (
	SELECT g.resource, sum(iif(m.name = 'softirq.time', g.value, 0)) AS ns, sum(iif(m.name = 'softirq.count', g.value, 0)) AS count
	FROM gauge g JOIN metric m ON m.id = g.metric WHERE m.name IN ('softirq.time', 'softirq.count') GROUP BY g.resource),
delay AS MATERIALIZED (SELECT * FROM latency_shape WHERE metric = 'softirq.latency'),
known AS (SELECT resource FROM told UNION SELECT resource FROM delay)
SELECT CAST(t.ns AS INTEGER) AS time_ns, 100.0 * t.ns / p.ns AS share_percent, CAST(t.count AS INTEGER) AS runs,
	CAST(t.ns / t.count AS INTEGER) AS mean_ns, d.p50 AS delay_p50_ns, d.p99 AS delay_p99_ns, d.max AS delay_max_ns, d.histogram,
	substr(r.name, 1, instr(r.name, ':') - 1) AS cpu, substr(r.name, instr(r.name, ':') + 1) AS kind
FROM known k JOIN resource r ON r.id = k.resource LEFT JOIN told t ON t.resource = k.resource
	LEFT JOIN delay d ON d.resource = k.resource, period p
ORDER BY t.ns DESC, d.count DESC;
