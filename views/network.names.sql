-- SPDX-License-Identifier: BSD-2-Clause
-- title: Queries to DNS servers (recorded with record --dns)
-- empty: SELECT coalesce((SELECT 'not recorded: ' || reason FROM unavailable WHERE probe = 'dns'),
--    (SELECT 'not recorded: record --dns does it' WHERE NOT EXISTS (SELECT 1 FROM metric WHERE name = 'dns.time')))
WITH told AS MATERIALIZED (
	SELECT t.process, s.resource, sum(iif(m.name = 'dns.queries', s.value, 0)) AS queries, sum(iif(m.name = 'dns.time', s.count, 0)) AS answers,
		sum(iif(m.name = 'dns.time', s.value, 0)) AS ns
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE m.name IN ('dns.time', 'dns.queries') AND NOT t.own GROUP BY t.process, s.resource)
SELECT d.ns AS time_ns, d.queries, nullif(max(d.queries - d.answers, 0), 0) AS unanswered, d.ns / nullif(d.answers, 0) AS mean_ns,
	l.p50 AS p50_ns, l.p99 AS p99_ns, l.max AS max_ns, l.histogram, p.comm AS process, p.pid, r.name AS server
FROM told d JOIN process p ON p.id = d.process JOIN resource r ON r.id = d.resource
	LEFT JOIN latency_shape l ON l.metric = 'dns.time' AND l.resource = d.resource
ORDER BY unanswered DESC, d.ns DESC;
