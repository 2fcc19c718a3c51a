-- SPDX-License-Identifier: BSD-2-Clause
-- title: The kernel killed a process for want of memory
-- summary: the kernel killed {comm} (pid {pid}) for want of memory{where}
-- explain: Each kill is an event of the recording. Where a cgroup's limit was met, the cgroup is named; else the machine's own
--    memory was used up. The kernel kills whoever holds most, which is not always the one that grew.
-- action: Raise the limit of {place}, or let {comm} use less
-- action: See who uses the memory: perfscope report; the resources' table has each cgroup's limit
-- runbook: memory-pressure
WITH kill AS MATERIALIZED (
	SELECT t.pid, t.process_comm AS comm, t.cgroup, e.value AS asker, min(e.time_ns) AS time_ns, max(e.detail) AS detail
	FROM event e JOIN thread t ON t.task = e.task, period p
	WHERE e.kind = 'oom.kill' AND e.time_ns BETWEEN p.start_ns AND p.end_ns GROUP BY t.process),
-- The limit lies in the victim's cgroup or above it.
limited AS MATERIALIZED (
	SELECT k.pid, l.resource AS path, max(length(l.resource)), l.value AS bytes
	FROM kill k JOIN level l ON l.metric = 'cgroup.memory_limit' AND l.value > 0
		AND (k.cgroup = l.resource OR substr(k.cgroup, 1, length(l.resource) + 1) = l.resource || '/')
	WHERE EXISTS (SELECT 1 FROM level f WHERE f.metric IN ('cgroup.memory_failures', 'cgroup.oom_kills') AND f.value > 0
		AND f.resource = l.resource)
	GROUP BY k.pid)
SELECT 'failing' AS urgency, 1.0 AS impact, k.comm, k.pid, ifnull(l.path, 'memory') AS place,
	iif(l.path IS NULL, '', printf(' in %s, which may use %.0f MiB', l.path, l.bytes / 1048576)) AS "where",
	iif(l.path IS NULL, 'memory', 'cgroup') AS resource_kind, ifnull(l.path, 'machine') AS resource_name,
	json_array(json_object('role', iif(k.asker = k.pid, 'culprit', 'victim'), 'pid', k.pid, 'tid', 0, 'comm', k.comm, 'cgroup', k.cgroup)) AS affected,
	json_array(
		json_object('metric', 'killed ' || k.comm || '; ' || k.detail, 'value', 1, 'unit', 'processes'),
		json_object('metric', 'memory limit', 'value', coalesce(l.bytes, (SELECT max(value) FROM level WHERE metric = 'memory.total'), 0),
			'unit', 'bytes')) AS evidence
FROM kill k LEFT JOIN limited l ON l.pid = k.pid;
