-- SPDX-License-Identifier: BSD-2-Clause
-- title: The kernel killed a process for want of memory
-- summary: the kernel killed {comm} {times} for want of memory{where}
-- explain: Each kill is an event of the recording. Where a cgroup's limit was met, the cgroup is named; else the machine's own
--    memory was used up. The kernel kills whoever holds most, which is not always the one that grew. One that the same
--    parent starts again, and that is killed again, is one finding, in a new cgroup each time, too, if they lie side by side.
-- action: Raise the limit of {place}, or let {comm} use less
-- action: See who uses the memory: perfscope report; the resources' table has each cgroup's limit
-- runbook: memory-pressure
WITH kill AS MATERIALIZED (
	SELECT t.pid, p.ppid, t.process_comm AS comm, t.cgroup, e.value AS asker, min(e.time_ns) AS time_ns, max(e.detail) AS detail
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
	SELECT k.*, l.path, l.bytes, count(*) OVER again AS times, row_number() OVER again AS place,
		dense_rank() OVER (ORDER BY k.comm, k.ppid, rtrim(k.cgroup, replace(k.cgroup, '/', ''))) AS again
	FROM kill k LEFT JOIN limited l ON l.pid = k.pid
	WINDOW again AS (PARTITION BY k.comm, k.ppid, rtrim(k.cgroup, replace(k.cgroup, '/', '')) ORDER BY l.path IS NULL, k.time_ns DESC
		ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))
SELECT 'failing' AS urgency, 1.0 AS impact, k.comm, k.pid, ifnull(k.path, 'memory') AS place,
	iif(k.times = 1, printf('(pid %d)', k.pid), printf('%d times (at last pid %d)', k.times, k.pid)) AS times,
	iif(k.path IS NULL, '', printf(' in %s, which may use %.0f MiB', k.path, k.bytes / 1048576)) AS "where",
	iif(k.path IS NULL, 'memory', 'cgroup') AS resource_kind, ifnull(k.path, 'machine') AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', iif(o.asker = o.pid, 'culprit', 'victim'), 'pid', o.pid, 'tid', 0, 'comm', o.comm, 'cgroup', o.cgroup) AS x
		FROM placed o WHERE o.again = k.again ORDER BY o.asker <> o.pid, o.place LIMIT 10)) AS affected,
	json_array(
		json_object('metric', 'killed ' || k.comm || '; ' || k.detail, 'value', k.times, 'unit', 'processes'),
		json_object('metric', 'memory limit', 'value', coalesce(k.bytes, (SELECT max(value) FROM level WHERE metric = 'memory.total'), 0),
			'unit', 'bytes')) AS evidence
FROM placed k WHERE k.place = 1;
