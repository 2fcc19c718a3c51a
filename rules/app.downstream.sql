-- SPDX-License-Identifier: BSD-2-Clause
-- title: Most of a service's time is waiting for another process or host
-- summary: {comm} waits {wait} ms a request for {peer}: {share} % of its response time
-- explain: Looks at the requests that a process answers, and at the calls that it makes meanwhile to others. What its threads
--    wait on sockets and pipes, as far as its calls take that long, is time that it waits for others. If the one that it waits for
--    waits for a third, it is that third one that is named. A proxy that waits for quick answers is as it should be.
-- threshold share = 0.5: of the time of its requests from when they are taken; less is not most
-- threshold waiting = 0.2: requests waiting for it at a time, on average; where a visitor comes now and then, a slow answer harms
--    few; the impact is lower, too, as long as it is less than one
-- threshold always = 0.9: calls at a time, on average; with so many, requests wait in line for them, within the process, and
-- threshold line = 0.1: of the time of its requests are the calls themselves; below that other things may keep them
-- threshold wait_ms = 25: of a request; a page that needs four such answers feels slow
-- threshold rate = 0.5: requests a second, and
-- threshold requests = 4: at least; fewer are chance
-- action: See what {peer} does: perfscope report --view services; where it runs, perfscope diagnose
-- action: Ask for less, ask for several things at once, keep answers, or give up after a while
-- runbook: slow-service
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
-- Processes that answer at one port are one service: its first.
answering AS MATERIALIZED (
	SELECT DISTINCT t.process, r.resource FROM request r JOIN thread t ON t.task = r.task WHERE NOT t.own AND r.count),
one AS MATERIALIZED (
	SELECT a.process, min(f.process) AS service FROM answering a
	JOIN (SELECT resource, min(process) AS process FROM answering GROUP BY resource) f USING (resource) GROUP BY a.process),
-- That a request waits for somebody to take it follows from how long those are busy that do. While a goroutine waits for a
-- peer, its thread sleeps on a futex, or serves others.
answers AS MATERIALIZED (
	SELECT o.service AS process, sum(r.count) AS count, sum(r.ns - r.queue) AS ns,
		sum(r.peer + r.elsewhere + iif(t.process IN (SELECT process FROM runtime WHERE name = 'Go'), r.lock, 0)) AS waited,
		sum(r.cpu) AS cpu, sum(r.lock) AS lock, sum(r.disk) AS disk, sum(r.other) AS other
	FROM request r JOIN thread t ON t.task = r.task JOIN one o USING (process) GROUP BY o.service),
calls AS MATERIALIZED (
	SELECT process, resource, max(other) AS other, sum(count) AS count, sum(ns) AS ns FROM (
		SELECT coalesce(a.service, t.process) AS process, c.resource, coalesce(b.service, o.process) AS other, c.count, c.ns
		FROM call c JOIN thread t ON t.task = c.task LEFT JOIN thread o ON o.task = c.other_task
			LEFT JOIN one a ON a.process = t.process LEFT JOIN one b ON b.process = o.process
		WHERE NOT t.own)
	WHERE other IS NOT process GROUP BY process, resource),
called AS MATERIALIZED (SELECT process, sum(ns) AS ns FROM calls GROUP BY process),
-- One that is waited for by its peer alone, and waits long: by process, what of its time that is.
waits AS MATERIALIZED (
	SELECT * FROM (
		-- Where a call is always under way, requests that wait for nothing else wait in line for the next one.
		SELECT a.*, iif(c.ns >= coalesce(:always, 0.9) * span.ns AND c.ns >= coalesce(:line, 0.1) * a.ns
			AND c.ns >= coalesce(:share, 0.5) * (a.ns - a.waited + c.ns), a.waited, min(a.waited, c.ns)) AS lost
		FROM answers a JOIN called c ON c.process = a.process, span) a, span
	WHERE a.count >= coalesce(:requests, 4) AND a.count * 1e9 >= coalesce(:rate, 0.5) * span.ns
		AND a.lost >= coalesce(:share, 0.5) * a.ns AND a.lost >= coalesce(:wait_ms, 25) * 1e6 * a.count),
peer AS MATERIALIZED (
	SELECT process, resource, other, count, max(ns) AS ns FROM calls WHERE process IN (SELECT process FROM waits) GROUP BY process),
found AS MATERIALIZED (
	SELECT w.*, p.resource, p.other AS peer_process, p.count AS calls, p.ns AS call_ns FROM waits w JOIN peer p ON p.process = w.process
	WHERE p.other IS NULL OR p.other NOT IN (SELECT process FROM waits)),
-- Who waits for one that is found, and who waits for them.
behind(found, process, depth) AS (
	SELECT process, process, 0 FROM found
	UNION
	SELECT b.found, c.process, b.depth + 1 FROM behind b JOIN calls c ON c.other = b.process WHERE b.depth < 8),
doing AS MATERIALIZED (
	SELECT process, metric, max(ns) FROM (
		SELECT process, 'cpu.time' AS metric, cpu AS ns FROM answers UNION ALL SELECT process, 'wait.lock', lock FROM answers UNION ALL
		SELECT process, 'wait.disk', disk FROM answers UNION ALL SELECT process, 'wait.sleep', other FROM answers UNION ALL
		SELECT process, 'wait.net', waited FROM answers)
	GROUP BY process)
SELECT iif(f.lost >= coalesce(:waiting, 0.2) * span.ns, 'waited', 'none') AS urgency,
	f.lost * 1.0 / f.ns * min(1, f.lost * 1.0 / span.ns) AS impact, p.comm, printf('%.0f', f.lost / 1e6 / f.count) AS wait,
	ifnull(o.comm || ' at ', '') || r.name AS peer, printf('%.0f', 100.0 * f.lost / f.ns) AS share,
	'service' AS resource_kind, r.name AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', o.pid, 'tid', 0, 'comm', o.comm, 'cgroup',
			(SELECT path FROM cgroup WHERE id = o.cgroup)) AS x WHERE o.id IS NOT NULL
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', q.pid, 'tid', 0, 'comm', q.comm, 'cgroup', g.path)
			FROM (SELECT process, min(depth) AS depth FROM behind WHERE found = f.process GROUP BY process) b
				JOIN process q ON q.id = b.process LEFT JOIN cgroup g ON g.id = q.cgroup
			ORDER BY b.depth LIMIT 10))) AS affected,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('metric', 'response time spent waiting for others', 'value', 100.0 * f.lost / f.ns, 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.5)) AS x
		UNION ALL SELECT json_object('metric', 'wait of a request', 'value', f.lost / 1e6 / f.count, 'unit', 'ms',
			'threshold', coalesce(:wait_ms, 25))
		UNION ALL SELECT json_object('metric', 'from taking a request to its answer, mean', 'value', f.ns / 1e6 / f.count, 'unit', 'ms')
		UNION ALL SELECT json_object('metric', 'requests', 'value', f.count * 1e9 / span.ns, 'unit', '/s',
			'threshold', coalesce(:rate, 0.5))
		UNION ALL SELECT json_object('metric', 'requests waiting at a time', 'value', f.lost * 1.0 / span.ns, 'unit', 'requests',
			'threshold', coalesce(:waiting, 0.2))
		UNION ALL SELECT json_object('metric', 'calls to ' || r.name, 'value', f.calls * 1e9 / span.ns, 'unit', '/s')
		UNION ALL SELECT json_object('metric', 'its answers, p50', 'value', l.p50 / 1e6, 'unit', 'ms') WHERE l.p50
		UNION ALL SELECT json_object('metric', 'its answers, p99', 'value', l.p99 / 1e6, 'unit', 'ms') WHERE l.p99
		UNION ALL SELECT json_object('metric', 'of its time on a CPU', 'value', 100.0 * a.cpu / a.ns, 'unit', '%') WHERE a.ns
		UNION ALL SELECT json_object('metric', 'of its time waiting for locks and disks', 'value', 100.0 * (a.lock + a.disk) / a.ns,
			'unit', '%') WHERE a.ns
		UNION ALL SELECT evidence FROM unanswered_evidence u WHERE u.process = f.process
		UNION ALL SELECT json_object('metric', 'of its time sleeping and others', 'value', 100.0 * a.other / a.ns, 'unit', '%')
			WHERE a.ns)) AS evidence,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'metric', d.metric, 'process', d.process) AS x FROM doing d WHERE d.process = o.id
		UNION ALL SELECT * FROM (
			SELECT json_object('role', 'waiter', 'metric', 'wait.' || w.cause, 'process', f.process) FROM thread_wait w
			WHERE w.process = f.process AND w.cause IN ('net', 'poll', 'ipc') GROUP BY w.cause ORDER BY sum(w.ns) DESC LIMIT 1)))
		AS stacks
FROM found f JOIN process p ON p.id = f.process JOIN resource r ON r.id = f.resource LEFT JOIN process o ON o.id = f.peer_process
	LEFT JOIN answers a ON a.process = o.id
	LEFT JOIN latency_summary l ON l.metric = 'call.time' AND l.resource_kind = 'service' AND l.resource = r.name, span
ORDER BY impact * f.ns DESC LIMIT 5;
