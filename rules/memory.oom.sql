-- SPDX-License-Identifier: BSD-2-Clause
-- title: The kernel killed a process for want of memory
-- summary: the kernel killed {comm} {times} for want of memory{where}
-- explain: Each kill is an event of the recording. Where a cgroup's limit was met, the cgroup is named; else the machine's own
--    memory was used up. The kernel kills whoever holds most, or was said to be
--    worth least (oom_score_adj), which is not always the one that grew: if another program did, that one is the culprit. One that the same
--    parent starts again, and that is killed again, is one finding, in a new cgroup each time, too, if they lie side by side.
-- threshold grown = 0.1: of the limit, by which a program has grown in the period, and more than the one that was killed
-- action: Raise the limit of {place}, or let {user} use less
-- action: See who uses the memory: perfscope report; the resources' table has each cgroup's limit
-- runbook: memory-pressure
WITH kill AS MATERIALIZED (
	SELECT t.process, t.pid, p.ppid, t.process_comm AS comm, t.cgroup, e.value AS asker, min(e.time_ns) AS time_ns, max(e.detail) AS detail
	FROM event e JOIN thread t ON t.task = e.task JOIN process p ON p.id = t.process, period q
	WHERE e.kind = 'oom.kill' AND e.time_ns BETWEEN q.start_ns AND q.end_ns GROUP BY t.process),
-- The limit lies in the victim's cgroup or above it.
limited AS MATERIALIZED (
	SELECT k.pid, l.resource AS path, max(length(l.resource)), l.value AS bytes
	FROM kill k JOIN level l ON l.metric = 'cgroup.memory_limit' AND l.value > 0
		AND (k.cgroup = l.resource OR substr(k.cgroup, 1, length(l.resource) + 1) = l.resource || '/')
	WHERE EXISTS (SELECT 1 FROM level f WHERE f.metric IN ('cgroup.memory_failures', 'cgroup.oom_kills') AND f.value > 0
		AND f.resource = l.resource)
	GROUP BY k.pid),
-- The newest of each program speaks for all, if its cgroup was there for long enough to be looked at.
placed AS MATERIALIZED (
	SELECT k.*, l.path, l.bytes, coalesce(l.bytes, (SELECT max(value) FROM level WHERE metric = 'memory.total')) AS most, count(*) OVER again AS times, row_number() OVER again AS place,
		dense_rank() OVER (ORDER BY k.comm, k.ppid, rtrim(k.cgroup, replace(k.cgroup, '/', ''))) AS again
	FROM kill k LEFT JOIN limited l ON l.pid = k.pid
	WINDOW again AS (PARTITION BY k.comm, k.ppid, rtrim(k.cgroup, replace(k.cgroup, '/', '')) ORDER BY l.path IS NULL, k.time_ns DESC
		ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)),
held AS MATERIALIZED (
	SELECT t.process, t.pid, t.process_comm AS comm, t.cgroup,
		max(s.value) - iif(ifnull(p.start_ns, 0) > q.start_ns, 0, s.first) AS grown
	FROM (SELECT task, value, first_value(value) OVER (PARTITION BY task ORDER BY slice) AS first FROM sample_level
		WHERE metric = (SELECT id FROM metric WHERE name = 'memory.resident')) s
	JOIN thread t ON t.task = s.task JOIN process p ON p.id = t.process, period q WHERE NOT t.own GROUP BY t.process),
-- Who took what the killed ones had to go for.
behind AS MATERIALIZED (
	SELECT k.again, h.*, row_number() OVER (PARTITION BY k.again ORDER BY h.grown DESC) AS rank
	FROM placed k JOIN held h ON h.comm <> k.comm AND (k.path IS NULL OR h.cgroup = k.path OR substr(h.cgroup, 1, length(k.path) + 1) = k.path || '/')
	LEFT JOIN held v ON v.process = k.process
	WHERE k.place = 1 AND h.grown > ifnull(v.grown, 0) -- of one that was killed at once it is not known
		AND h.grown >= iif(v.process IS NULL, 0.5, coalesce(:grown, 0.1)) * k.most)
SELECT 'failing' AS urgency, 1.0 AS impact, k.comm, k.pid, ifnull(k.path, 'memory') AS place, ifnull(b.comm, k.comm) AS user,
	iif(k.times = 1, printf('(pid %d)', k.pid), printf('%d times (at last pid %d)', k.times, k.pid)) AS times,
	iif(k.path IS NULL, '', printf(' in %s, which may use %.0f MiB', k.path, k.bytes / 1048576))
		|| iif(b.comm IS NULL, '', printf('; %s has grown by %.0f MiB', b.comm, b.grown / 1048576.0)) AS "where",
	iif(k.path IS NULL, 'memory', 'cgroup') AS resource_kind, ifnull(k.path, 'machine') AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', pid, 'tid', 0, 'comm', comm, 'cgroup', cgroup) AS x FROM (
			SELECT * FROM behind h WHERE h.again = k.again ORDER BY h.rank LIMIT 3)
		UNION ALL SELECT * FROM (
			SELECT json_object('role', iif(o.asker = o.pid AND b.comm IS NULL, 'culprit', 'victim'), 'pid', o.pid, 'tid', 0, 'comm', o.comm, 'cgroup', o.cgroup)
			FROM placed o WHERE o.again = k.again ORDER BY o.asker <> o.pid, o.place LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'killed ' || k.comm || '; ' || k.detail, 'value', k.times, 'unit', 'processes'),
		json_object('metric', 'memory limit', 'value', ifnull(k.most, 0), 'unit', 'bytes'),
		json_object('metric', ifnull(b.comm, k.comm) || ' has grown', 'unit', '% of that', 'value', ifnull(coalesce(b.grown,
			(SELECT grown FROM held v WHERE v.process = k.process)) * 100.0 / k.most, 0),
			'threshold', iif(b.comm IS NULL, NULL, 100 * coalesce(:grown, 0.1)))) AS evidence
FROM placed k LEFT JOIN behind b ON b.again = k.again AND b.rank = 1 WHERE k.place = 1;
