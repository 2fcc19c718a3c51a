-- SPDX-License-Identifier: BSD-2-Clause
-- title: Who calls which service, and waits how long for its answers
SELECT sum(c.count) / (p.ns / 1e9) AS calls_s, sum(c.ns) / max(1, sum(c.count)) AS mean_ns, sum(c.ns) AS waited_ns,
	nullif(count(DISTINCT a.process), 1) AS processes, min(a.pid) AS pid, a.process_comm AS caller, s.name AS service, ifnull(b.process_comm, '') AS answered_by
FROM call c JOIN thread a ON a.task = c.task JOIN service s ON s.resource = c.resource
	LEFT JOIN thread b ON b.task = c.other_task, service_period p
WHERE NOT a.own GROUP BY a.process_comm, c.resource ORDER BY waited_ns DESC;
