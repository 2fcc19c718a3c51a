-- SPDX-License-Identifier: BSD-2-Clause
-- title: Hard interrupts by CPU and handler
SELECT CAST(sum(iif(m.name = 'irq.time', g.value, 0)) AS INTEGER) AS time_ns, 100.0 * sum(iif(m.name = 'irq.time', g.value, 0)) / p.ns AS share_percent,
	CAST(sum(iif(m.name = 'irq.count', g.value, 0)) AS INTEGER) AS runs,
	CAST(sum(iif(m.name = 'irq.time', g.value, 0)) / sum(iif(m.name = 'irq.count', g.value, 0)) AS INTEGER) AS mean_ns,
	substr(r.name, 1, instr(r.name, ':') - 1) AS cpu, substr(r.name, instr(r.name, ':') + 1) AS handler
FROM gauge g JOIN metric m ON m.id = g.metric JOIN resource r ON r.id = g.resource, period p
WHERE m.name IN ('irq.time', 'irq.count') GROUP BY r.id ORDER BY time_ns DESC;
