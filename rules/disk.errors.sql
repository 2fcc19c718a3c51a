-- SPDX-License-Identifier: BSD-2-Clause
-- title: Reads or writes of a disk or a file system fail
-- summary: {what}
-- explain: Counts requests that a disk gave back with an error. What a device does not know (a discard) and what would have had to
--    wait although it must not is no failure. The process is named whose request it was, or whose pages the kernel wrote.
--    Counts, too, calls that failed because a file system had no space or inodes left. They are looked for
--    while less than 1 % is free, or much is filled and emptied by turns. Of the processes that such calls fail for the culprit is the one with the largest file there, if
--    that is a tenth of the file system; else the one that most fail for.
-- threshold large = 0.1: share of a file system; whose file is smaller has not filled it alone
-- threshold often = 50: such calls a second are all that a program does; fewer are its impact in proportion
-- action: {advice}
-- action: {advice2}
-- action: {advice3}
-- runbook: slow-disk
WITH span AS MATERIALIZED (SELECT ns FROM period),
failed AS MATERIALIZED (
	SELECT e.resource, sum(e.value) AS count FROM event e WHERE e.kind = 'disk.error' GROUP BY e.resource),
sort AS MATERIALIZED (
	SELECT resource, detail, max(n) FROM (
		SELECT resource, detail, sum(value) AS n FROM event WHERE kind = 'disk.error' GROUP BY resource, detail) GROUP BY resource),
who AS MATERIALIZED (
	SELECT e.resource, t.task, t.process, t.pid, t.tid, t.comm, t.cgroup, sum(e.value) AS count
	FROM event e JOIN thread t ON t.task = e.task WHERE e.kind = 'disk.error' AND NOT t.own GROUP BY e.resource, t.task),
-- From here on file systems. Resource NULL: it is not known which one.
refused AS MATERIALIZED (
	SELECT s.resource, t.process, t.pid, t.process_comm AS comm, t.cgroup, sum(s.count) AS count
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE m.name = 'space.refused' AND NOT t.own GROUP BY s.resource, t.process),
file AS MATERIALIZED (
	SELECT t.process, n.name, sum(s.count) AS count, sum(s.value) / sum(s.count) AS bytes
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource n ON n.id = s.resource
	WHERE m.name = 'space.file' GROUP BY t.process, s.resource),
-- One of another namespace is called "PATH of COMM (PID)".
called AS MATERIALIZED (
	SELECT r.process, r.resource, n.name, n.name GLOB '* of * ([0-9]*)' AS elsewhere,
		iif(n.name GLOB '* of * ([0-9]*)', substr(n.name, 1, instr(n.name, ' of ') - 1), n.name) AS path,
		row_number() OVER (PARTITION BY r.process ORDER BY r.count DESC) = 1 AS most
	FROM refused r LEFT JOIN resource n ON n.id = r.resource),
-- On which of a process's full file systems a file lies: the one that is mounted nearest above it; if none is, as may be in a
-- container, the one that most calls failed at.
lies AS MATERIALIZED (
	SELECT *, max(iif(above, length(path), -1)) FROM (
		SELECT f.*, c.resource, c.path, c.most, substr(f.name, 1, length(rtrim(c.path, '/')) + 1) = rtrim(c.path, '/') || '/' AS above
		FROM file f JOIN called c ON c.process = f.process)
	WHERE most OR above GROUP BY process, name),
largest AS MATERIALIZED (SELECT process, resource, name, max(bytes) AS bytes FROM lies GROUP BY process, resource),
room AS MATERIALIZED (
	SELECT resource, max(iif(metric = 'filesystem.size', value, 0)) AS bytes,
		max(iif(metric = 'filesystem.inodes', value, 0)) - max(iif(metric = 'filesystem.inodes_used', value, 0)) < 1
			AND max(iif(metric = 'filesystem.inodes', value, 0)) > 0 AS no_inodes
	FROM (SELECT m.name AS metric, g.resource, g.value, max(g.slice) FROM gauge_row g JOIN metric m ON m.id = g.metric
		WHERE m.name GLOB 'filesystem.*' GROUP BY m.name, g.resource)
	GROUP BY resource),
blamed AS MATERIALIZED (
	SELECT r.*, ifnull(l.bytes, 0) AS bytes, room.bytes AS size, room.no_inodes, sum(r.count) OVER (PARTITION BY r.resource, r.comm) AS named,
		row_number() OVER (PARTITION BY r.resource ORDER BY ifnull(l.bytes, 0) >= coalesce(:large, 0.1) * room.bytes DESC, r.count DESC) AS place
	FROM refused r LEFT JOIN largest l ON l.process = r.process AND l.resource IS r.resource LEFT JOIN room ON room.resource IS r.resource),
first AS MATERIALIZED (
	SELECT b.*, ifnull(c.name, 'A file system') AS name,
		iif(c.elsewhere, 'nsenter -t ' || substr(rtrim(c.name, ')'), length(rtrim(rtrim(c.name, ')'), '0123456789')) + 1) || ' -m ', '') AS enter,
		ifnull(c.path, '/') AS path,
		(SELECT l.name FROM lies l WHERE l.process = b.process AND l.resource IS b.resource
			ORDER BY l.bytes DESC, l.count DESC LIMIT 1) AS file,
		(SELECT sum(o.count) FROM blamed o WHERE o.resource IS b.resource) AS all_count,
		(SELECT count(DISTINCT o.comm) FROM blamed o WHERE o.resource IS b.resource) AS comms
	FROM blamed b JOIN called c ON c.process = b.process AND c.resource IS b.resource WHERE b.place = 1)
SELECT 'failing' AS urgency,
	min(1, f.count * 1.0 / max(1, f.count, ifnull((SELECT sum(count) FROM latency_total l
		WHERE l.resource = r.name AND l.resource_kind = 'disk' AND l.metric GLOB 'disk.device_time.*'), 0))) AS impact,
	CAST(f.count AS INTEGER) || ' requests to ' || r.name || ' failed: ' || s.detail AS what,
	'Read what the kernel says about it: dmesg | grep ' || r.name AS advice,
	'Look at the disk itself (smartctl -a), its cable or path; make a copy of what is on it while it can still be read' AS advice2,
	'"no space" comes from what lies under the disk: a full file system under a loop device, a thin volume without room' AS advice3,
	'disk' AS resource_kind, r.name AS resource_name,
	(SELECT json_group_array(json_object('role', 'victim', 'pid', pid, 'tid', tid, 'comm', comm, 'cgroup', cgroup)) FROM (
		SELECT * FROM who w WHERE w.resource = f.resource ORDER BY comm = '?', count DESC LIMIT 10)) AS affected,
	json_array(
		json_object('metric', 'failed requests: ' || s.detail, 'value', f.count, 'unit', 'requests', 'threshold', 1),
		json_object('metric', 'failed requests', 'value', f.count * 1e9 / span.ns, 'unit', '/s')) AS evidence,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'victim', 'metric', 'wait.disk', 'process', process, 'function', '') AS x
		FROM who w WHERE w.resource = f.resource ORDER BY count DESC LIMIT 1)) AS stacks
FROM failed f JOIN resource r ON r.id = f.resource JOIN sort s ON s.resource = f.resource, span
UNION ALL
SELECT 'failing', min(1, max(0.1, f.all_count * 1e9 / (coalesce(:often, 50) * span.ns))),
	f.name || iif(f.no_inodes, ' has no inodes left', ' is full') || ': ' || f.all_count || ' calls of ' || f.comm
		|| iif(f.comms > 1, ' and others', '') || ' failed'
		|| iif(f.bytes >= coalesce(:large, 0.1) * f.size, ', whose ' || f.file || ' takes ' || CAST(100 * f.bytes / f.size AS INTEGER) || ' % of it', ''),
	iif(f.no_inodes, 'Delete files that are not needed: many small ones take all inodes (' || f.enter || 'find ' || f.path || ' -xdev | cut -d/ -f1-4 | sort | uniq -c | sort -n | tail)',
		'See what takes the space: ' || f.enter || 'du -xh ' || f.path || ' | sort -h | tail; files that are deleted and still open: lsof +L1'),
	'Look at what ' || f.comm || ' keeps, and how it rotates or expires it' || iif(f.file IS NULL, '', ': ' || f.file),
	iif(f.no_inodes, 'Make the file system anew with more inodes (mkfs -N), or put the files elsewhere',
		'Make the file system larger, or put what grows on another one: a full one makes everything fail that writes to it'),
	iif(f.resource IS NULL, NULL, 'filesystem'), iif(f.resource IS NULL, NULL, f.name),
	(SELECT json_group_array(json_object('role', iif(place = 1, 'culprit', 'victim'), 'pid', pid, 'tid', 0, 'comm', comm, 'cgroup', cgroup)) FROM (
		SELECT * FROM blamed b WHERE b.resource IS f.resource ORDER BY place LIMIT 10)),
	json_array(
		json_object('metric', 'calls that failed for want of room', 'value', f.all_count, 'unit', 'calls', 'threshold', 1),
		json_object('metric', 'such calls', 'value', f.all_count * 1e9 / span.ns, 'unit', '/s'),
		json_object('metric', 'of them ' || f.comm || '''s', 'value', 100.0 * f.named / f.all_count, 'unit', '%'),
		json_object('metric', ifnull(f.file, 'its largest file there'), 'value', f.bytes / 1048576.0, 'unit', 'MiB')),
	json_array(json_object('role', 'culprit', 'metric', 'space.refused', 'process', f.process))
FROM first f, span
-- What is only told at the end of a write to a disk that failed is that disk's finding.
WHERE f.resource IS NOT NULL OR NOT EXISTS (SELECT 1 FROM failed)
ORDER BY impact DESC LIMIT 6;
