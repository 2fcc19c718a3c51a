-- SPDX-License-Identifier: BSD-2-Clause
-- title: Memory limits of cgroups
-- empty: SELECT 'no cgroup has one'
-- at limit: times that it met its limit; held back: times that it was over memory.high
WITH last_level AS MATERIALIZED (
	SELECT m.name AS metric, g.resource, g.value, max(g.slice)
	FROM main.gauge g JOIN metric m ON m.id = g.metric
	WHERE m.name IN ('cgroup.memory', 'cgroup.memory_limit') AND g.slice <= (SELECT last FROM period) GROUP BY g.resource, m.name),
told AS MATERIALIZED (
	SELECT g.resource, max(iif(m.name = 'cgroup.memory', g.value, NULL)) AS most,
		sum(iif(m.name = 'cgroup.memory_failures', g.value, 0)) AS failures, sum(iif(m.name = 'cgroup.memory_high', g.value, 0)) AS high,
		sum(iif(m.name = 'cgroup.oom_kills', g.value, 0)) AS kills
	FROM gauge g JOIN metric m ON m.id = g.metric WHERE m.name GLOB 'cgroup.*' GROUP BY g.resource)
SELECT 100.0 * coalesce(max(t.most, u.value), u.value) / l.value AS full_percent, CAST(u.value AS INTEGER) AS used_bytes,
	CAST(coalesce(max(t.most, u.value), u.value) AS INTEGER) AS most_bytes, CAST(l.value AS INTEGER) AS limit_bytes,
	CAST(nullif(t.failures, 0) AS INTEGER) AS at_limit, CAST(nullif(t.high, 0) AS INTEGER) AS held_back,
	CAST(nullif(t.kills, 0) AS INTEGER) AS killed, r.name AS cgroup
FROM last_level l JOIN resource r ON r.id = l.resource LEFT JOIN last_level u ON u.resource = l.resource AND u.metric = 'cgroup.memory'
	LEFT JOIN told t ON t.resource = l.resource
WHERE l.metric = 'cgroup.memory_limit' AND l.value > 0 ORDER BY full_percent DESC;
