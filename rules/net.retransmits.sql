-- SPDX-License-Identifier: BSD-2-Clause
-- title: TCP sends again what was lost
-- summary: {comm} sends {percent} % of its segments again ({where})
-- explain: Takes from each TCP socket how many segments it has sent and how many of them again. What is lost is missed for at
--    least a round trip, 200 ms when nothing else is under way, and a second if it was a request to connect; and TCP sends
--    more slowly after each loss. Connects that nobody ever answers do not count: they are net.connect-failures.
-- threshold share = 0.02: of the segments that are sent; one in a hundred is usual between continents and over the air
-- threshold count = 5: segments sent again; fewer are chance
-- threshold few = 3: or so few, if share_few of what is sent is sent again: short connections and idle ones send little
-- threshold share_few = 0.05: see few
-- threshold missed = 0.2: seconds that each is missed for at the least, if nothing else is under way: no more than that is lost
-- threshold segments = 20: sent, for a share of them to say something
-- threshold stalled = 0.3: or so much of the time without news of what was sent, with two segments sent again: a path that
--    loses everything has only few to count
-- threshold stuck = 0.9: or so much of the time, with one, while a thread waits for the network all the time, and not for somebody to
--    connect, or, in a server, to send something: TCP waits twice as long before each next try
-- action: See where they get lost: net.drops if that is on this host; ethtool -S, and mtr to the other side, if not
-- action: See the connection itself: ss -tie, and perfscope report
-- runbook: packet-loss
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
person AS MATERIALIZED (SELECT DISTINCT process, pid, process_comm AS comm, cgroup FROM thread WHERE NOT own),
told AS MATERIALIZED (
	SELECT m.name AS metric, t.process, s.resource, r.kind, r.name, sum(s.count) AS count, sum(s.value) AS value
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource r ON r.id = s.resource
	WHERE m.name IN ('connection.retransmitted', 'connection.overdue', 'connection.sent', 'connection.retransmits') AND NOT t.own
	GROUP BY m.name, t.process, s.resource),
-- Connections that were there when looked at, and all of a process to one service, however short they were.
sender AS MATERIALIZED (
	SELECT a.process, a.name, a.kind, a.count AS segments, a.value AS again, ifnull(b.value, 0) AS stalled
	FROM told a LEFT JOIN told b ON b.metric = 'connection.overdue' AND b.process = a.process AND b.resource = a.resource
	WHERE a.metric = 'connection.retransmitted'
	UNION ALL
	SELECT a.process, a.name, a.kind, b.count, a.value, 0
	FROM told a JOIN told b ON b.metric = 'connection.sent' AND b.process = a.process AND b.resource = a.resource
	WHERE a.metric = 'connection.retransmits' AND NOT EXISTS (
		SELECT 1 FROM told c WHERE c.metric = 'connection.retransmitted' AND c.process = a.process AND c.value > 0.5 * a.value)),
-- A server waits for its clients' requests, however long one is gone: the connections to its own ports.
served AS MATERIALIZED (
	SELECT DISTINCT t.process, substr(r.name, length(rtrim(r.name, '0123456789')) + 1) AS port
	FROM sample_total x JOIN metric m ON m.id = x.metric JOIN thread t ON t.task = x.task JOIN resource r ON r.id = x.resource
	WHERE m.name IN ('port.queue_limit', 'connection.accepted')),
-- Where somebody waits for clients: to connect, or, if it is a server, to send something.
hearing(id, receives) AS (
	SELECT s.id, n.name = 'tcp_recvmsg' FROM frame_name n CROSS JOIN stack s USING (frame)
	WHERE n.kind = 'kernel' AND n.name IN ('inet_csk_accept', 'tcp_recvmsg')
	UNION
	SELECT s.id, h.receives FROM hearing h JOIN stack s ON s.parent = h.id),
heard AS MATERIALIZED (
	SELECT w.task, sum(w.ns) AS ns FROM wait_part w JOIN hearing h ON h.id = w.stack JOIN task t ON t.id = w.task
	WHERE w.cause = 'net' AND (NOT h.receives OR t.process IN (SELECT process FROM served)) GROUP BY w.task),
patient AS MATERIALIZED (
	SELECT DISTINCT w.process FROM thread_wait w LEFT JOIN heard h ON h.task = w.task, span
	WHERE w.cause = 'net' AND w.ns - ifnull(h.ns, 0) >= coalesce(:stuck, 0.9) * span.ns),
judged AS MATERIALIZED (
	SELECT s.*, s.again * 1.0 / max(s.segments, s.again, 1) AS share, min(1.0, s.stalled * 1.0 / span.ns) AS still
	FROM sender s, span
	WHERE ((s.segments >= coalesce(:segments, 20) OR s.again >= coalesce(:many, 0.25) * s.segments) AND s.again >= iif(s.again >= coalesce(:share_few, 0.05) * s.segments,
			coalesce(:few, 3), coalesce(:count, 5)) AND s.again >= coalesce(:share, 0.02) * s.segments)
		OR (s.again >= 2 AND s.stalled >= coalesce(:stalled, 0.3) * span.ns)
		OR (s.again AND s.stalled >= coalesce(:stuck, 0.9) * span.ns AND s.process IN (SELECT process FROM patient)
			AND NOT EXISTS (SELECT 1 FROM served o
				WHERE o.process = s.process AND o.port = substr(s.name, length(rtrim(s.name, '0123456789')) + 1)))),
-- The worst of a process, and of a connection the end that loses more.
placed AS MATERIALIZED (
	SELECT *, count(*) OVER (PARTITION BY process) AS connections,
		row_number() OVER (PARTITION BY process ORDER BY max(10 * share, still) DESC) AS place,
		row_number() OVER (PARTITION BY name ORDER BY max(10 * share, still) DESC) AS side
	FROM judged),
peer AS MATERIALIZED (
	SELECT DISTINCT e.resource, a.process, b.process AS other
	FROM metric m JOIN edge_total e ON e.kind = m.id JOIN thread a ON a.task = e.task JOIN thread b ON b.task = e.other_task
	WHERE m.name = 'connection.peer'),
other AS MATERIALIZED (
	SELECT j.process, j.name, iif(p.process = j.process, p.other, p.process) AS other
	FROM placed j JOIN peer p ON j.process IN (p.process, p.other) JOIN resource r ON r.id = p.resource
	WHERE substr(j.name, -length(r.name)) = r.name)
SELECT 'waited' AS urgency, max(min(1.0, 10 * j.share, j.again * coalesce(:missed, 0.2) * 1e9 / span.ns), j.still) AS impact, p.comm, p.pid, printf('%.1f', 100 * j.share) AS percent,
	j.name || iif(j.connections > 1, printf(' and %d more', j.connections - 1), '') AS "where",
	j.kind AS resource_kind, j.name AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'victim', 'pid', p.pid, 'tid', 0, 'comm', p.comm, 'cgroup', p.cgroup) AS x
		UNION ALL SELECT * FROM (SELECT DISTINCT json_object('role', 'victim', 'pid', q.pid, 'tid', 0, 'comm', q.comm, 'cgroup', q.cgroup)
			FROM other o JOIN person q ON q.process = o.other
			WHERE o.process = j.process AND o.name = j.name AND o.other != j.process LIMIT 4))) AS affected,
	json_array(
		json_object('metric', 'segments sent again', 'value', 100 * j.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.02)),
		json_object('metric', 'of them', 'value', j.again, 'unit', 'count', 'threshold', coalesce(:count, 5)),
		json_object('metric', 'segments sent', 'value', j.segments, 'unit', 'count'),
		json_object('metric', 'time without news of what was sent', 'value', 100 * j.still, 'unit', '%',
			'threshold', 100 * coalesce(:stalled, 0.3))) AS evidence,
	json_array(json_object('role', 'victim', 'metric', 'wait.net', 'process', j.process)) AS stacks
FROM placed j JOIN person p ON p.process = j.process, span
WHERE j.place = 1 AND j.side = 1
ORDER BY impact DESC LIMIT 5;
