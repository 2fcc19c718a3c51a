-- SPDX-License-Identifier: BSD-2-Clause
-- title: A listener's queue overflows, stays full, or is slow to be served
-- summary: {comm} {what} {listener}{why}
-- kind: wait
-- explain: Asks each listening socket for the connections that it has lost. One is lost when its queue of connections
--    that nobody has accepted yet is full; its client tries again a second later, and then later still. So the process
--    accepts too slowly, or the queue is too short for a burst. A long queue need not be full: who waits for a second to be accepted
--    is connected, and gets no answer. At a Unix socket nothing is lost: who connects sleeps until there is room.
-- threshold drops = 5: in all; fewer may be a scan
-- threshold share = 0.05: of the connections that were asked for; a rare burst costs one of many a second
-- threshold full = 0.5: or of the looks, one a second, that found the queue full, though nothing was lost; and two of them at least
-- threshold late = 1: seconds that a connection waits to be accepted, on average; people and health checks go away after some seconds
-- threshold crowd = 5: connections that wait at every look before late counts; a server that takes them one by one has some
-- threshold connecting = 0.2: of the period that a thread sleeps until a Unix socket's queue has room; below that it hardly feels it
-- action: Find out what keeps {comm} from accepting: perfscope threads -p {pid}; perfscope flamegraph --kind offcpu -p {pid}
-- action: Make the queue longer if it is only bursts: the second argument of listen(), and net.core.somaxconn
-- runbook: network-latency
WITH RECURSIVE span AS MATERIALIZED (SELECT last - first + 1 AS slices, ns FROM period),
told AS MATERIALIZED (
	SELECT r.name AS listener, th.process, th.pid, th.process_comm AS comm, th.cgroup,
		sum(iif(m.name = 'port.overflows', s.value, 0)) AS drops, sum(iif(m.name = 'port.queued', s.value, 0)) AS queued,
		-- Summed over looks; the limit of one look is the mean.
		sum(iif(m.name = 'port.queue_limit', s.value, 0)) * 1.0 / nullif(sum(iif(m.name = 'port.queue_limit', s.count, 0)), 0) AS room
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource JOIN thread th ON th.task = s.task
	WHERE m.name IN ('port.overflows', 'port.queue_limit', 'port.queued') AND NOT th.own GROUP BY s.resource, th.process),
-- Of all listeners of perfscope's own network namespace.
accepted AS MATERIALIZED (SELECT ifnull(sum(value), 0) AS count FROM level WHERE metric = 'tcp.accepts'),
queue AS MATERIALIZED (
	SELECT t.listener, t.process, max(l.value) AS waiting, sum(l.value >= t.room) AS full,
		sum(l.value >= coalesce(:crowd, 5)) AS crowded
	FROM told t JOIN level l ON l.metric = 'port.queue' AND l.resource = t.listener GROUP BY t.listener, t.process),
-- The longest that the first in line has been seen to wait.
longest AS MATERIALIZED (
	SELECT t.listener, t.process, ifnull(max(l.max), 0) / 1e9 AS s FROM told t LEFT JOIN latency_summary l
		ON l.metric = 'port.queued' AND l.resource_kind = 'port' AND l.resource = t.listener GROUP BY t.listener, t.process),
judged AS MATERIALIZED (
	SELECT t.*, ifnull(q.waiting, 0) AS waiting, a.count AS accepted, ifnull(q.full, 0) * 1.0 / span.slices AS full,
		t.drops >= coalesce(:drops, 5) AND t.drops >= coalesce(:share, 0.05) * (t.drops + a.count) AS overflows,
		ifnull(q.full, 0) >= 2 AND q.full >= coalesce(:full, 0.5) * span.slices AS stays,
		min(g.s, t.queued / 1e9 / max(1, a.count)) AS wait_s, g.s AS longest_s, q.crowded >= span.slices
			AND t.queued >= coalesce(:crowd, 5) * span.ns AND g.s >= coalesce(:late, 1)
			AND t.queued >= coalesce(:late, 1) * 1e9 * max(1, a.count) AS late
	FROM told t LEFT JOIN queue q ON q.listener = t.listener AND q.process = t.process
	JOIN longest g ON g.listener = t.listener AND g.process = t.process, accepted a, span),
connecting(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame) WHERE n.kind = 'kernel' AND n.name = 'unix_stream_connect'
	UNION
	SELECT s.id FROM connecting c JOIN stack s ON s.parent = c.id),
hung AS MATERIALIZED (
	SELECT task, max(value) AS pid, substr(max(detail), 6) AS name FROM event WHERE kind = 'shut.out' GROUP BY task),
drawn AS MATERIALIZED (
	SELECT task, sum(ns) AS ns FROM wait_part WHERE cause = 'ipc' AND stack IN (SELECT id FROM connecting) GROUP BY task),
-- Who hangs has not been drawn, if it is not known where it sleeps.
shut_out AS MATERIALIZED (
	SELECT d.task, d.ns FROM drawn d, span WHERE d.ns >= coalesce(:connecting, 0.2) * span.ns
	UNION ALL
	SELECT w.task, w.ns FROM thread_wait w, span
	WHERE w.cause = 'ipc' AND w.task IN (SELECT task FROM hung) AND w.task NOT IN (SELECT task FROM drawn)
		AND w.ns >= coalesce(:connecting, 0.2) * span.ns),
-- Who accepts wakes them.
let_in AS MATERIALIZED (
	SELECT o.task, o.ns, t.process FROM shut_out o
	JOIN (SELECT task, other_task, max(ns) FROM waker_total WHERE stack IN (SELECT id FROM connecting) AND other_task GROUP BY task) k
		ON k.task = o.task JOIN thread t ON t.task = k.other_task WHERE NOT t.own
	UNION ALL
	-- Where nobody does, they were asked at the end where they want to connect to.
	SELECT o.task, o.ns, p.id FROM shut_out o JOIN hung h USING (task) JOIN process p ON p.pid = h.pid AND p.end_ns IS NULL
	WHERE o.task NOT IN (SELECT w.task FROM waker_total w WHERE w.stack IN (SELECT id FROM connecting) AND w.other_task)),
unix AS MATERIALIZED (
	SELECT l.process, p.pid, p.comm, (SELECT path FROM cgroup g WHERE g.id = p.cgroup) AS cgroup, count(*) AS clients, sum(l.ns) AS ns,
		max(l.ns) AS most
	FROM let_in l JOIN process p ON p.id = l.process GROUP BY l.process),
heard AS MATERIALIZED (
	SELECT t.process, v.port AS name, max(q.count) AS count FROM request q JOIN service v USING (resource) JOIN thread t ON t.task = q.task
	WHERE t.process IN (SELECT process FROM unix) AND v.name GLOB '[/@]*' GROUP BY t.process
	UNION ALL
	SELECT p.id, max(h.name), 0 FROM hung h JOIN process p ON p.pid = h.pid AND p.end_ns IS NULL GROUP BY p.id),
path AS MATERIALIZED (SELECT process, name, max(count) FROM heard GROUP BY process),
-- What its threads waited for as the recording ended.
looked AS MATERIALIZED (
	SELECT t.process, max(json_extract(j.value, '$.seconds')) AS seconds, json_extract(j.value, '$.frames') AS frames
	FROM event e JOIN thread t ON t.task = e.task, json_each(e.detail) j
	WHERE e.kind = 'unanswered' AND json_valid(e.detail) GROUP BY t.process, frames)
SELECT 'waited' AS urgency, max(iif(d.overflows, d.drops * 1.0 / (d.drops + d.accepted), 0), iif(d.stays, d.full, 0),
		iif(d.late, d.wait_s / (d.wait_s + coalesce(:late, 1)), 0)) AS impact,
	d.comm, d.pid, d.listener, iif(d.overflows, printf('lost %d connections to', d.drops), printf('lets %d connections wait at', d.waiting)) AS what,
	iif(d.overflows OR d.stays, ': their queue is full', printf(': each waits %.1f s to be accepted', d.wait_s)) AS why,
	'port' AS resource_kind, d.listener AS resource_name,
	json_array(json_object('role', 'culprit', 'pid', d.pid, 'tid', 0, 'comm', d.comm, 'cgroup', d.cgroup)) AS affected,
	json_array(
		json_object('metric', 'connections lost', 'value', d.drops, 'unit', 'count', 'threshold', coalesce(:drops, 5)),
		json_object('metric', 'share of those asked for', 'value', 100.0 * d.drops / max(1, d.drops + d.accepted), 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.05)),
		json_object('metric', 'looks that found it full', 'value', 100.0 * d.full, 'unit', '%', 'threshold', 100 * coalesce(:full, 0.5)),
		json_object('metric', 'waiting to be accepted', 'value', d.waiting, 'unit', 'connections'),
		json_object('metric', 'waiting to be accepted, on average', 'value', d.queued * 1.0 / span.ns, 'unit', 'connections'),
		json_object('metric', 'waiting to be accepted, each', 'value', d.wait_s, 'unit', 's', 'threshold', coalesce(:late, 1)),
		json_object('metric', 'longest seen waiting to be accepted', 'value', 1e3 * d.longest_s, 'unit', 'ms'),
		json_object('metric', 'room in the queue', 'value', ifnull(d.room, 0), 'unit', 'connections')) AS evidence,
	json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', d.process),
		json((SELECT json_object('role', 'culprit', 'metric', 'wait.' || w.cause, 'process', d.process) FROM thread_wait w
			WHERE w.process = d.process GROUP BY w.cause ORDER BY sum(w.ns) DESC LIMIT 1))) AS stacks
FROM judged d, span WHERE d.overflows OR d.stays OR d.late
UNION ALL
SELECT 'waited', min(1.0, u.most * 1.0 / span.ns), u.comm, u.pid, ifnull(p.name, 'a Unix socket'),
	iif(u.clients = 1, 'lets a client wait at', printf('lets %d clients wait at', u.clients)), ': its queue is full',
	'port', ifnull(p.name, 'a Unix socket'),
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', u.pid, 'tid', 0, 'comm', u.comm, 'cgroup', u.cgroup) AS x
		UNION ALL SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM let_in o JOIN thread t USING (task) WHERE o.process = u.process ORDER BY o.ns DESC LIMIT 8))),
	json_array(
		json_object('metric', 'time that a client waits for room', 'value', 100.0 * u.most / span.ns, 'unit', '%',
			'threshold', 100 * coalesce(:connecting, 0.2)),
		json_object('metric', 'waiting for room, on average', 'value', u.ns * 1.0 / span.ns, 'unit', 'clients')),
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'weight_ms', 1e3 * l.seconds, 'frames', json(l.frames)) AS x FROM looked l
			WHERE l.process = u.process ORDER BY l.seconds DESC LIMIT 2)
		UNION ALL SELECT json_object('role', 'culprit', 'metric', 'cpu.time', 'process', u.process)
		UNION ALL SELECT * FROM (SELECT json_object('role', 'culprit', 'metric', 'wait.' || w.cause, 'process', u.process) FROM thread_wait w
			WHERE w.process = u.process GROUP BY w.cause ORDER BY sum(w.ns) DESC LIMIT 1)))
FROM unix u LEFT JOIN path p ON p.process = u.process, span;
