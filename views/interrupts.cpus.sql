-- SPDX-License-Identifier: BSD-2-Clause
-- title: CPUs: interrupts, and what the hypervisor took away
-- out_of_time: the network's soft interrupt left packets for later, because its time was up
SELECT c.irq AS interrupts_percent, c.steal AS stolen_percent, c.busy AS busy_percent, CAST(b.count AS INTEGER) AS out_of_time, c.cpu
FROM cpu_share c LEFT JOIN (
	SELECT resource AS cpu, sum(value) AS count FROM level WHERE metric = 'softnet.budget_exhausted' GROUP BY resource) b ON b.cpu = c.cpu
ORDER BY c.irq + c.steal DESC;
