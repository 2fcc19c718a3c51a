-- SPDX-License-Identifier: BSD-2-Clause
-- title: A disk answers slowly although it is not full, or not as fast as it could because of a limit
-- summary: {disk} {how}; {comm} waits {share} % of its time
-- explain: Looks at requests that have a disk as good as for themselves: at most one other is in it as they come and as
--    they go. What they take is the disk's own slowness, not a queue. The disk's time is told from the time that
--    they wait in the kernel's queue before. It matters when threads lose a good part of their time waiting for disks.
--    Threads whose cgroup limits how much they may use a disk, and that wait for disks while those have nothing to do, wait for
--    their turn by that limit: the disk is slow for them alone.
-- threshold mean_ms = 15: a rotating disk needs 13 at random, a flash disk 0.1; one in ten at least must take so long
-- threshold flush_ms = 50: the same of a flush; a rotating disk empties its cache in less
-- threshold rate = 1: such requests a second; less may be a disk that had gone to sleep
-- threshold part = 0.2: of all requests that have the disk for themselves; else it is full
-- threshold share = 0.2: of a thread's time that it is not idle, waiting for disks; less it will hardly feel
-- threshold total = 0.1: of the period that a thread waits for disks; below that nobody notices
-- threshold idle = 0.5: of that time, in which no disk has anything to do, of a thread whose cgroup has a limit; else disks may be the reason
-- action: Raise the cgroup's limit if there is one (io.max, blkio.throttle); else look for what is behind {disk}: a failing or
--    sleeping disk (smartctl -a, dmesg), a limit of the cloud volume, a busy storage server
-- action: See what waits for it: perfscope flamegraph --kind disk -p {pid}
-- runbook: slow-disk
WITH span AS MATERIALIZED (SELECT ns FROM period),
summary AS MATERIALIZED (
	SELECT s.*, m.mean FROM latency_summary s JOIN (
		SELECT metric, resource, sum(count * (low_ns + high_ns)) / 2.0 / sum(count) AS mean FROM latency_total
		WHERE resource_kind = 'disk' AND metric GLOB 'disk.*_time.*' GROUP BY metric, resource) m USING (metric, resource)),
slow AS MATERIALIZED (
	SELECT r.id, a.resource AS name, substr(a.metric, 17) AS operation, a.count AS alone_count, a.mean AS typical, d.count,
		d.p50, d.p90, d.p99, d.max, q.p50 AS queue50, q.p99 AS queue99,
		row_number() OVER (PARTITION BY a.resource ORDER BY a.count * a.mean DESC) AS place
	FROM summary a JOIN summary d ON d.resource = a.resource AND d.metric = 'disk.device_time.' || substr(a.metric, 17)
	JOIN summary q ON q.resource = a.resource AND q.metric = 'disk.queue_time.' || substr(a.metric, 17)
	JOIN resource r ON r.kind = 'disk' AND r.name = a.resource, span
	WHERE a.metric IN ('disk.alone_time.read', 'disk.alone_time.write', 'disk.alone_time.flush')
		AND min(a.mean, a.p90) >= 1e6 * iif(a.metric = 'disk.alone_time.flush', coalesce(:flush_ms, 50), coalesce(:mean_ms, 15))
		AND a.count * 1e9 >= coalesce(:rate, 1) * span.ns AND a.count >= coalesce(:part, 0.2) * d.count),
waiter AS MATERIALIZED (
	SELECT f.id, t.task, t.process, w.ns, s.running + s.runnable + s.held_up AS active
	FROM slow f JOIN sample_total x ON x.resource = f.id JOIN metric m ON m.id = x.metric AND m.name = 'io.time'
	JOIN thread t ON t.task = x.task
	JOIN (SELECT task, sum(ns) AS ns FROM thread_wait WHERE cause IN ('disk', 'dirty', 'fault') GROUP BY task) w ON w.task = t.task
	JOIN thread_state s ON s.task = t.task, span
	WHERE f.place = 1 AND NOT t.own AND NOT t.kernel AND w.ns >= coalesce(:share, 0.2) * (s.running + s.runnable + s.held_up)
		AND w.ns >= coalesce(:total, 0.1) * span.ns
	GROUP BY f.id, t.task),
worst AS MATERIALIZED (
	SELECT id, process, sum(ns) * 1.0 / sum(active) AS share, row_number() OVER (PARTITION BY id ORDER BY sum(ns) DESC) AS place
	FROM waiter GROUP BY id, process),
-- Who may use a disk only so much.
limited AS MATERIALIZED (
	SELECT x.process, r.id, r.name, y.path, sum(iif(x.requests, NULL, x.value)) * 1.0 / sum(iif(x.requests, NULL, x.count)) AS bytes,
		sum(iif(x.requests, x.value, NULL)) * 1.0 / sum(iif(x.requests, x.count, NULL)) AS requests
	FROM (SELECT t.process, s.resource, s.count, s.value, m.name = 'io.limit_requests' AS requests
			FROM sample_total s JOIN metric m ON m.id = s.metric JOIN task t ON t.id = s.task
			WHERE m.name IN ('io.limit_bytes', 'io.limit_requests')) x
	JOIN resource r ON r.id = x.resource
	JOIN (SELECT t.process, min(r.name) AS path FROM sample_total s JOIN task t ON t.id = s.task JOIN resource r ON r.id = s.resource
		WHERE s.metric = (SELECT id FROM metric WHERE name = 'io.limited_by') GROUP BY t.process) y USING (process)
	GROUP BY x.process, r.id),
busy AS MATERIALIZED (
	SELECT g.resource, sum(g.value / 100 * (s.end_ns - s.start_ns)) AS ns
	FROM gauge_row g JOIN slice s ON s.id = g.slice WHERE g.metric = (SELECT id FROM metric WHERE name = 'disk.busy') GROUP BY g.resource),
held_back AS MATERIALIZED (
	SELECT l.*, t.task, w.ns, s.running + s.runnable + s.held_up AS active
	FROM limited l JOIN thread t ON t.process = l.process
	LEFT JOIN busy ON busy.resource = l.id
	JOIN (SELECT task, sum(ns) AS ns FROM thread_wait WHERE cause IN ('disk', 'dirty', 'fault') GROUP BY task) w ON w.task = t.task
	JOIN thread_state s ON s.task = t.task, span
	WHERE NOT t.own AND w.ns >= coalesce(:share, 0.2) * (s.running + s.runnable + s.held_up) AND w.ns >= coalesce(:total, 0.1) * span.ns
		AND w.ns - ifnull(busy.ns, 0) >= coalesce(:idle, 0.5) * w.ns),
late AS MATERIALIZED (
	SELECT *, row_number() OVER (PARTITION BY id, path ORDER BY ns DESC) AS place FROM (
		SELECT id, name, path, bytes, requests, process, sum(ns) AS ns, sum(ns) * 1.0 / sum(active) AS share
		FROM held_back GROUP BY id, path, process))
SELECT iif(w.id, 'waited', 'none') AS urgency,
	ifnull((SELECT sum(ns) * 1.0 / sum(active) FROM waiter x WHERE x.id = f.id), 0) AS impact,
	f.name AS disk, printf('takes %.0f ms for a %s that has it to itself', f.typical / 1e6, f.operation) AS how, ifnull(p.comm, 'nobody') AS comm, ifnull(p.pid, 0) AS pid,
	printf('%.0f', 100 * ifnull(w.share, 0)) AS share,
	'disk' AS resource_kind, f.name AS resource_name,
	(SELECT json_group_array(json_object('role', 'victim', 'pid', pid, 'tid', tid, 'comm', comm, 'cgroup', cgroup)) FROM (
		SELECT t.* FROM waiter x JOIN thread t USING (task) WHERE x.id = f.id ORDER BY x.ns DESC LIMIT 10)) AS affected,
	json_array(
		json_object('metric', f.operation || ' that has the device to itself, mean', 'value', f.typical / 1e6, 'unit', 'ms', 'threshold',
			iif(f.operation = 'flush', coalesce(:flush_ms, 50), coalesce(:mean_ms, 15))),
		json_object('metric', f.operation || ' in the device, p50', 'value', f.p50 / 1e6, 'unit', 'ms'),
		json_object('metric', f.operation || ' in the device, p90', 'value', f.p90 / 1e6, 'unit', 'ms'),
		json_object('metric', f.operation || ' in the device, p99', 'value', f.p99 / 1e6, 'unit', 'ms'),
		json_object('metric', f.operation || ' in the kernel''s queue, p50', 'value', f.queue50 / 1e6, 'unit', 'ms'),
		json_object('metric', f.operation || ' in the kernel''s queue, p99', 'value', f.queue99 / 1e6, 'unit', 'ms'),
		json_object('metric', 'requests', 'value', f.count * 1e9 / span.ns, 'unit', '/s'),
		json_object('metric', 'waiting share', 'value', 100 * ifnull(w.share, 0), 'unit', '%', 'threshold', 100 * coalesce(:share, 0.2))) AS evidence,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'victim', 'metric', 'wait.disk', 'process', v.process, 'function', '') AS x
		FROM worst v WHERE v.id = f.id AND v.place <= 2)) AS stacks
FROM slow f LEFT JOIN worst w ON w.id = f.id AND w.place = 1 LEFT JOIN process p ON p.id = w.process, span
WHERE f.place = 1
UNION ALL
SELECT 'waited', f.share, f.name, 'may be used only so much by ' || f.path || iif(f.bytes, printf(' (%.1f MiB a second)', f.bytes / 1048576), '')
		|| iif(f.requests, printf(' (%.0f requests a second)', f.requests), ''),
	p.comm, p.pid, printf('%.0f', 100 * f.share), 'disk', f.name,
	(SELECT json_group_array(json_object('role', 'victim', 'pid', pid, 'tid', tid, 'comm', comm, 'cgroup', cgroup)) FROM (
		SELECT t.* FROM held_back x JOIN thread t USING (task) WHERE x.id = f.id AND x.path = f.path ORDER BY x.ns DESC LIMIT 10)),
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('metric', 'waiting share', 'value', 100 * f.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.2)) AS x
		UNION ALL SELECT json_object('metric', 'of that, at least, no disk had anything to do', 'value', 100.0 * (f.ns - min(f.ns, busy.ns)) / f.ns,
			'unit', '%', 'threshold', 100 * coalesce(:idle, 0.5)) FROM busy
		UNION ALL SELECT json_object('metric', 'limit of ' || f.path, 'value', f.bytes / 1048576, 'unit', 'MiB/s') WHERE f.bytes
		UNION ALL SELECT json_object('metric', 'limit of ' || f.path, 'value', f.requests, 'unit', 'requests/s') WHERE f.requests
		UNION ALL SELECT * FROM (SELECT json_object('metric', replace(substr(metric, 6), '_time.', ': ') || ', p50', 'value', p50 / 1e6, 'unit', 'ms')
			FROM summary WHERE resource = f.name AND metric GLOB 'disk.device_time.[rw]*')
		UNION ALL SELECT * FROM (SELECT json_object('metric', replace(substr(metric, 6), '_time.', ': ') || ', p99', 'value', p99 / 1e6, 'unit', 'ms')
			FROM summary WHERE resource = f.name AND metric GLOB 'disk.device_time.[rw]*'))),
	json_array(json_object('role', 'victim', 'metric', 'wait.disk', 'process', f.process, 'function', ''))
FROM late f JOIN process p ON p.id = f.process WHERE f.place = 1
ORDER BY 2 DESC LIMIT 5;
