-- SPDX-License-Identifier: BSD-2-Clause
-- title: A disk's queue is full, and threads wait for it
-- summary: {disk} is full: {depth} requests at a time, {waits} each, mostly for {comm}
-- explain: A disk is full when it is never idle, several requests are there at a time, and each takes longer for the others:
--    twice as long as one that has the disk for itself, or, where none ever has, longer than a disk needs that is not
--    in line. A queue that is not as long is full, too, for those whose own kind of request takes several times as long
--    for it. The kernel's own threads write what others have dirtied: such requests are put down to those.
--    Harm is done to threads of other processes that lose a good part of their time there, to
--    several threads of one process that wait for each other's requests, and to clients. A job that asks for many at once and
--    waits for the first to be done (io_getevents, io_uring) is like many threads, but nobody's trouble but its own. A job alone
--    that merely is as fast as the disk is only mentioned.
-- threshold busy = 90: percent of the time with a request in progress; a disk with pauses has room
-- threshold depth = 4: requests at a time, on average; fewer is no queue
-- threshold short = 2: requests at a time, on average, of a queue that others wait in for much longer than they would else
-- threshold long = 4: how much longer a read, or a write, takes there than one that has the disk for itself
-- threshold stretch = 2: how much longer a request takes than one that has the disk for itself
-- threshold wait_ms = 0.2: of a request, where none has the disk for itself; a flash disk takes 0.1 ms
-- threshold share = 0.2: of a thread's time that it is not idle, waiting for disks; less it will hardly feel
-- threshold total = 0.1: of the period that threads wait for disks, those of one program together; below that nobody notices
-- threshold at_once = 16: requests of a job under way, on average, while it waits for the first; read ahead has fewer
-- threshold own = 0.49: impact of a job that fills the disk for nobody but itself, at the most
-- threshold crowd = 4: threads of one process that wait at a time; a few are how programs keep a disk at work
-- action: See what {comm} reads and writes: perfscope flamegraph --kind disk -p {pid}
-- action: Make {comm} ask for less: cache, read ahead in larger pieces, an index in place of a scan; or run it at another time
-- action: Give {comm} a share of the disk that others can live with: io.max or io.weight of its cgroup, ionice
-- action: Move the data of one of them to another disk, or get a faster one
-- runbook: slow-disk
WITH span AS MATERIALIZED (SELECT ns FROM period),
used AS MATERIALIZED (
	SELECT g.resource AS id, sum(iif(m.name = 'disk.busy', g.value * (s.end_ns - s.start_ns), 0)) / span.ns AS busy,
		sum(iif(m.name = 'disk.queue', g.value * (s.end_ns - s.start_ns), 0)) / span.ns AS depth
	FROM gauge_row g JOIN metric m ON m.id = g.metric JOIN slice s ON s.id = g.slice, span
	WHERE m.name IN ('disk.busy', 'disk.queue') GROUP BY g.resource),
took AS MATERIALIZED (
	SELECT l.resource, sum(iif(l.metric GLOB 'disk.device_time.*', l.count, 0)) AS count,
		sum(iif(l.metric GLOB 'disk.queue_time.*', l.count * (l.low_ns + l.high_ns) / 2, 0)) AS queue,
		sum(iif(l.metric GLOB 'disk.device_time.*', l.count * (l.low_ns + l.high_ns) / 2, 0)) AS device,
		sum(iif(l.metric GLOB 'disk.alone_time.*', l.count, 0)) AS alone_count,
		sum(iif(l.metric GLOB 'disk.alone_time.*', l.count * (l.low_ns + l.high_ns) / 2, 0)) AS alone
	FROM latency_total l
	WHERE l.resource_kind = 'disk' AND (l.metric GLOB '*_time.read' OR l.metric GLOB '*_time.write') GROUP BY l.resource),
-- How much longer the kind of request takes that suffers most.
longer AS MATERIALIZED (
	SELECT resource, max(took / alone) AS times FROM (
		SELECT resource, substr(metric, instr(metric, '_time.')) AS kind,
			sum(iif(metric GLOB 'disk.alone_time.*', 0, count * (low_ns + high_ns) / 2.0))
				/ sum(iif(metric GLOB 'disk.device_time.*', count, 0)) AS took,
			sum(iif(metric GLOB 'disk.alone_time.*', count * (low_ns + high_ns) / 2.0, 0))
				/ sum(iif(metric GLOB 'disk.alone_time.*', count, 0)) AS alone
		FROM latency_total
		WHERE resource_kind = 'disk' AND (metric GLOB 'disk.*_time.read' OR metric GLOB 'disk.*_time.write')
		GROUP BY resource, kind HAVING sum(iif(metric GLOB 'disk.alone_time.*', count, 0)) >= 10)
	GROUP BY resource),
full AS MATERIALIZED (
	SELECT u.id, r.name, u.busy, u.depth, t.count, t.queue * 1.0 / t.count AS queue, t.device * 1.0 / t.count AS device,
		iif(t.alone_count >= 10, t.alone * 1.0 / t.alone_count, NULL) AS alone, u.depth < coalesce(:depth, 4) AS short
	FROM used u JOIN resource r ON r.id = u.id JOIN took t ON t.resource = r.name LEFT JOIN longer g ON g.resource = r.name
	WHERE u.busy >= coalesce(:busy, 90) AND (u.depth >= coalesce(:depth, 4)
			OR (u.depth >= coalesce(:short, 2) AND g.times >= coalesce(:long, 4)))
		AND t.count AND t.queue + t.device
		>= iif(t.alone_count >= 10, coalesce(:stretch, 2) * t.alone / t.alone_count, coalesce(:wait_ms, 0.2) * 1e6) * t.count),
request AS MATERIALIZED (
	SELECT x.resource AS id, x.task, t.process, t.kernel, p.comm, p.ppid, sum(x.value) AS ns
	FROM sample_total x JOIN metric m ON m.id = x.metric JOIN full f ON f.id = x.resource JOIN thread t ON t.task = x.task
	JOIN process p ON p.id = t.process
	WHERE m.name = 'io.time' AND NOT t.own GROUP BY x.resource, x.task),
-- Those of one name and parent are one program, under the one that asks for most.
filler AS MATERIALIZED (
	SELECT id, process, max(most), sum(most) AS ns, comm, ppid, sum(most) * 1.0 / sum(sum(most)) OVER (PARTITION BY id) AS share,
		row_number() OVER (PARTITION BY id ORDER BY max(kernel), sum(most) DESC) AS place
	FROM (SELECT id, process, comm, ppid, kernel, sum(ns) AS most FROM request GROUP BY id, process) GROUP BY id, comm, ppid),
-- Who has one request at a time under way has no part in that.
fills AS MATERIALIZED (
	SELECT f.* FROM filler f, span WHERE f.place = 1 OR (f.share >= 0.25 AND f.ns >= coalesce(:short, 2) * span.ns)),
waiter AS MATERIALIZED (
	SELECT q.id, q.process, q.comm, q.ppid, q.task, sum(w.ns) AS ns, s.running + s.runnable + s.held_up AS active,
		sum(sum(w.ns)) OVER (PARTITION BY q.id, q.comm, q.ppid) AS together
	FROM request q JOIN thread_wait w ON w.task = q.task JOIN thread_state s ON s.task = q.task
	WHERE NOT q.kernel AND w.cause = 'disk' GROUP BY q.id, q.task),
hurt AS MATERIALIZED (
	SELECT w.*, EXISTS (SELECT 1 FROM fills f WHERE f.id = w.id AND f.comm = w.comm AND f.ppid IS w.ppid) AS fills
	FROM waiter w, span WHERE w.ns >= coalesce(:share, 0.2) * w.active AND w.together >= coalesce(:total, 0.1) * span.ns),
client AS MATERIALIZED (
	SELECT DISTINCT f.id FROM filler f JOIN thread t ON t.process = f.process JOIN woken_by b ON b.other_task = t.task
	JOIN thread v ON v.task = b.task, span
	WHERE f.place = 1 AND v.process <> t.process AND NOT v.own AND NOT v.kernel AND b.ns >= 0.3 * span.ns AND b.count * 1e9 >= 5 * span.ns),
-- Threads that wait for the first of what they have asked for to be done.
gathering(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame)
	WHERE n.kind = 'kernel' AND n.name IN ('do_io_getevents', 'io_cqring_wait')
	UNION
	SELECT s.id FROM gathering g JOIN stack s ON s.parent = g.id),
gathers AS MATERIALIZED (
	SELECT i.id, sum(w.ns) * 1.0 / span.ns AS share
	FROM filler i JOIN task t ON t.process = i.process JOIN wait_stack w ON w.task = t.id, span
	WHERE i.place = 1 AND i.ns >= coalesce(:at_once, 16) * span.ns AND w.stack IN (SELECT id FROM gathering)
	GROUP BY i.id HAVING sum(w.ns) >= coalesce(:share, 0.2) * span.ns),
crowd AS MATERIALIZED (
	SELECT id, max(threads) AS threads FROM (
		SELECT h.id, sum(h.ns) * 1.0 / span.ns AS threads FROM hurt h, span GROUP BY h.id, h.process) GROUP BY id)
SELECT iif(EXISTS (SELECT 1 FROM hurt h WHERE h.id = f.id AND NOT h.fills) OR f.id IN (SELECT id FROM client)
		OR ifnull(c.threads, 0) >= coalesce(:crowd, 4) OR a.id IS NOT NULL, 'waited', 'none') AS urgency,
	coalesce((SELECT min(1, sum(h.ns) * 1.0 / sum(h.active)) FROM hurt h WHERE h.id = f.id AND NOT h.fills),
		iif(a.id IS NOT NULL AND f.id NOT IN (SELECT id FROM client) AND ifnull(c.threads, 0) < coalesce(:crowd, 4),
			min(a.share, coalesce(:own, 0.49)), NULL),
		(SELECT min(1, sum(h.ns) * 1.0 / sum(h.active)) FROM hurt h WHERE h.id = f.id), 0) AS impact,
	f.name AS disk, printf('%.0f', f.depth) AS depth, p.comm, p.pid,
	iif(f.queue + f.device < 1e6, printf('%.0f us', (f.queue + f.device) / 1e3), printf('%.1f ms', (f.queue + f.device) / 1e6)) AS waits,
	'disk' AS resource_kind, f.name AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', c.pid, 'tid', 0, 'comm', c.comm, 'cgroup', g.path) AS x
			FROM fills i JOIN process c ON c.id = i.process LEFT JOIN cgroup g ON g.id = c.cgroup
			WHERE i.id = f.id ORDER BY i.place)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM hurt h JOIN thread t USING (task) WHERE h.id = f.id AND NOT h.fills ORDER BY h.ns DESC LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'busy', 'value', f.busy, 'unit', '%', 'threshold', coalesce(:busy, 90)),
		json_object('metric', 'requests at a time', 'value', f.depth, 'unit', 'requests', 'threshold', coalesce(:depth, 4)),
		json_object('metric', 'requests', 'value', f.count * 1e9 / span.ns, 'unit', '/s'),
		json_object('metric', 'mean time in the kernel''s queue', 'value', f.queue / 1e6, 'unit', 'ms'),
		json_object('metric', 'mean time in the device', 'value', f.device / 1e6, 'unit', 'ms'),
		iif(f.alone IS NULL, json_object('metric', 'requests that had it to themselves', 'value', 0, 'unit', 'requests'),
			json_object('metric', 'mean time of a request that had it to itself', 'value', f.alone / 1e6, 'unit', 'ms')),
		json_object('metric', 'share of all requests'' time that is for ' || p.comm, 'value', 100 * i.share, 'unit', '%')) AS evidence,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'metric', 'wait.disk', 'process', i.process, 'function', '') AS x
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'metric', 'wait.disk', 'process', h.process, 'task', h.task, 'function', '')
			FROM hurt h WHERE h.id = f.id AND NOT h.fills ORDER BY h.ns DESC LIMIT 2))) AS stacks
FROM full f JOIN filler i ON i.id = f.id AND i.place = 1 JOIN process p ON p.id = i.process
	LEFT JOIN crowd c ON c.id = f.id LEFT JOIN gathers a ON a.id = f.id, span
WHERE NOT f.short OR EXISTS (SELECT 1 FROM hurt h WHERE h.id = f.id AND NOT h.fills)
ORDER BY 2 DESC LIMIT 5;
