-- SPDX-License-Identifier: BSD-2-Clause
-- title: Reads or writes of a disk fail
-- summary: {count} requests to {disk} failed: {error}
-- explain: Counts requests that a disk gave back with an error. What a device does not know (a discard) and what would have had to
--    wait although it must not is no failure. The process is named whose request it was, or whose pages the kernel wrote.
-- action: Read what the kernel says about it: dmesg | grep {disk}
-- action: Look at the disk itself (smartctl -a), its cable or path; make a copy of what is on it while it can still be read
-- action: "no space" comes from what lies under the disk: a full file system under a loop device, a thin volume without room
-- runbook: slow-disk
WITH span AS MATERIALIZED (SELECT ns FROM period),
failed AS MATERIALIZED (
	SELECT e.resource, sum(e.value) AS count FROM event e WHERE e.kind = 'disk.error' GROUP BY e.resource),
sort AS MATERIALIZED (
	SELECT resource, detail, max(n) FROM (
		SELECT resource, detail, sum(value) AS n FROM event WHERE kind = 'disk.error' GROUP BY resource, detail) GROUP BY resource),
who AS MATERIALIZED (
	SELECT e.resource, t.task, t.process, t.pid, t.tid, t.comm, t.cgroup, sum(e.value) AS count
	FROM event e JOIN thread t ON t.task = e.task WHERE e.kind = 'disk.error' AND NOT t.own GROUP BY e.resource, t.task)
SELECT 'failing' AS urgency,
	min(1, f.count * 1.0 / max(1, f.count, ifnull((SELECT sum(count) FROM latency_total l
		WHERE l.resource = r.name AND l.resource_kind = 'disk' AND l.metric GLOB 'disk.device_time.*'), 0))) AS impact,
	f.count, r.name AS disk, s.detail AS error, 'disk' AS resource_kind, r.name AS resource_name,
	(SELECT json_group_array(json_object('role', 'victim', 'pid', pid, 'tid', tid, 'comm', comm, 'cgroup', cgroup)) FROM (
		SELECT * FROM who w WHERE w.resource = f.resource ORDER BY comm = '?', count DESC LIMIT 10)) AS affected,
	json_array(
		json_object('metric', 'failed requests: ' || s.detail, 'value', f.count, 'unit', 'requests', 'threshold', 1),
		json_object('metric', 'failed requests', 'value', f.count * 1e9 / span.ns, 'unit', '/s')) AS evidence,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'victim', 'metric', 'wait.disk', 'process', process, 'function', '') AS x
		FROM who w WHERE w.resource = f.resource ORDER BY count DESC LIMIT 1)) AS stacks
FROM failed f JOIN resource r ON r.id = f.resource JOIN sort s ON s.resource = f.resource, span
ORDER BY f.count DESC LIMIT 5;
