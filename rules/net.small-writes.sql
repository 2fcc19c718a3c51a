-- SPDX-License-Identifier: BSD-2-Clause
-- title: Small writes wait for the acknowledgement of the one before
-- summary: {comm} loses {share} % of its time to held-back small writes ({where})
-- explain: A request that is written in two small pieces goes out as one piece at once and one that waits (Nagle) until the first is
--    acknowledged, and the receiver delays that by some 40 ms because it has no answer to send yet. Looks at the sockets
--    ten times a second tell how much of the time a last small segment is so held back with room in both windows; that is no more
--    than the time in which the socket has something under way, which it counts itself. Who sends without end has such a segment
--    now and then, but rarely when looked at.
-- threshold share = 0.3: of the period, of one connection, or over all of a process, of which one may be used after the other; a round trip that is really needed is a small part of it on a local net
-- threshold looks = 6: that found it so; fewer are chance
-- threshold small = 1000: bytes a segment, on average: whoever sends much sends full ones
-- action: Write each request with one call (writev, a buffer), or set TCP_NODELAY on the connection
-- action: See where {comm} writes: perfscope flamegraph --kind offcpu -p {pid}
-- runbook: network-latency
WITH span AS MATERIALIZED (SELECT ns FROM period),
looked AS MATERIALIZED (
	SELECT t.process, t.pid, t.process_comm AS comm, t.cgroup, r.kind, r.name AS connection, sum(s.count) AS looks,
		min(sum(iif(m.name = 'connection.held', s.value, 0)), ifnull(sum(iif(m.name = 'connection.under_way', s.value, NULL)), span.ns))
			* 1.0 / span.ns AS share
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource r ON r.id = s.resource, span
	WHERE m.name IN ('connection.held', 'connection.under_way') AND NOT t.own GROUP BY t.process, r.id HAVING looks),
-- All of a process, under the name of the worst; where there are many, the rest has the name of the service. What is used side by
-- side loses no more than one of them; many that lose little each are used one after the other, and add up.
held AS MATERIALIZED (
	SELECT process, pid, comm, cgroup, kind, connection, iif(max(share) >= coalesce(:share, 0.3), max(share), min(0.49, sum(share))) AS share, sum(looks) AS looks,
		count(*) AS connections
	FROM looked GROUP BY process),
size AS MATERIALIZED (
	SELECT t.process, sum(s.value) * 1.0 / max(1, sum(s.count)) AS bytes
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE m.name = 'connection.sent' GROUP BY t.process),
-- Either side may be the writer.
talk AS MATERIALIZED (
	SELECT e.task, e.other_task, e.count FROM edge_total e WHERE e.kind = (SELECT id FROM metric WHERE name = 'connection.peer')),
other AS MATERIALIZED (
	SELECT a.process, b.pid, b.process_comm AS comm, b.cgroup, sum(e.count) AS count
	FROM (SELECT * FROM talk UNION ALL SELECT other_task, task, count FROM talk) e
	JOIN thread a ON a.task = e.task JOIN thread b ON b.task = e.other_task WHERE b.process <> a.process GROUP BY a.process, b.process)
SELECT 'waited' AS urgency, min(1.0, h.share) AS impact, h.comm, h.pid,
	h.connection || iif(h.connections > 1, printf(' and %d more', h.connections - 1), '') AS "where",
	printf('%.0f', 100 * min(1.0, h.share)) AS share, h.kind AS resource_kind, h.connection AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', h.pid, 'tid', 0, 'comm', h.comm, 'cgroup', h.cgroup) AS x
		UNION ALL SELECT * FROM (SELECT json_object('role', 'victim', 'pid', o.pid, 'tid', 0, 'comm', o.comm, 'cgroup', o.cgroup)
			FROM other o WHERE o.process = h.process ORDER BY o.count DESC LIMIT 1))) AS affected,
	json_array(
		json_object('metric', 'time with a small segment held back', 'value', 100 * min(1.0, h.share), 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.3)),
		json_object('metric', 'looks that found it so', 'value', h.looks, 'unit', 'count', 'threshold', coalesce(:looks, 6)),
		json_object('metric', 'mean size of its segments', 'value', z.bytes, 'unit', 'bytes',
			'threshold', coalesce(:small, 1000))) AS evidence,
	json_array(json_object('role', 'culprit', 'process', h.process, 'metric', iif(EXISTS (SELECT 1 FROM sample_total s JOIN metric m ON m.id = s.metric
			JOIN task t ON t.id = s.task WHERE m.name = 'wait.net' AND t.process = h.process), 'wait.net', 'wait.poll')),
		json_object('role', 'culprit', 'metric', 'cpu.time', 'process', h.process, 'function', 'tcp_sendmsg')) AS stacks
FROM held h JOIN size z ON z.process = h.process
WHERE h.share >= coalesce(:share, 0.3) AND h.looks >= coalesce(:looks, 6) AND z.bytes <= coalesce(:small, 1000)
ORDER BY h.share DESC LIMIT 5;
