-- SPDX-License-Identifier: BSD-2-Clause
-- title: A connection's round trip or connect is slow, or a name server's answer
-- summary: {comm} spends {percent} % of its time on {where}: {how}
-- explain: Adds up how long a client had a request under way that the other side had not even acknowledged, on connections whose
--    round trip takes 5 ms or more, and how long its connects took. A server that thinks before it answers
--    is not slow in this sense: what its kernel acknowledges late because of that is told apart by the shortest round trip
--    that was ever measured and by the other end's view. Who sends much at a time does not wait for each round trip.
--    Name servers are asked by the C library: what a thread waits in its getaddrinfo() and the like.
-- threshold share = 0.2: of the time that is looked at; whoever asks a far host now and then loses little
-- threshold round_trip_ms = 20: median; less is the distance to the next large town
-- threshold count = 4: round trips that were looked at, or connects
-- threshold lookup = 0.3: of the period, waiting for name servers,
-- threshold lookup_ms = 200: in waits of that length on average; even an answer from the other side of the world is quicker
-- threshold lasts = 0.8: of the period; processes that are there for less count together with others of their name
-- action: {advice}
-- action: {advice2}
-- action: {advice3}
-- runbook: network-latency
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
person AS MATERIALIZED (SELECT DISTINCT process, pid, process_comm AS comm, cgroup FROM thread WHERE NOT own),
told AS MATERIALIZED (
	SELECT m.name AS metric, t.process, r.kind, r.name, sum(s.count) AS count, sum(s.value) AS ns
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource r ON r.id = s.resource
	WHERE m.name IN ('connection.waited', 'connection.opened', 'connection.unanswered', 'connection.retransmits')
		AND NOT t.own
	GROUP BY m.name, t.process, r.id),
latency AS MATERIALIZED (
	SELECT metric, resource_kind AS kind, resource AS name, count, p50, p90, p99 FROM latency_summary
	WHERE metric IN ('connection.round_trip', 'connection.connect')),
client AS MATERIALIZED (
	SELECT process, name AS service, sum(iif(metric = 'connection.waited', ns, 0)) AS waited,
		sum(iif(metric = 'connection.opened', count, 0)) AS opened,
		sum(iif(metric = 'connection.opened', ns, 0)) AS connecting,
		sum(iif(metric = 'connection.unanswered', ns, 0)) AS unanswered
	FROM told WHERE kind = 'service' GROUP BY process, name),
-- The connection that most of the waiting is on, if there is one.
longest AS MATERIALIZED (
	SELECT process, name, max(ns) AS ns FROM told WHERE kind = 'connection' AND metric = 'connection.waited' GROUP BY process, name),
chosen AS MATERIALIZED (
	SELECT c.*, (SELECT l.name FROM longest l WHERE l.process = c.process AND substr(l.name, -length(c.service)) = c.service
			AND l.ns > 0.5 * c.waited ORDER BY l.ns DESC LIMIT 1) AS connection
	FROM client c),
-- Where much is lost, some connects take a second: net.retransmits tells that.
lossy AS MATERIALIZED (
	SELECT process FROM told WHERE metric = 'connection.retransmits' GROUP BY process HAVING sum(count) >= 3),
-- A connect that takes long is one; a server that nobody reaches at all is net.connect-failures.
judged AS MATERIALIZED (
	SELECT c.*, ifnull(c.connection, c.service) AS name, t.count AS looks, t.p50, t.p90, t.p99,
		n.p50 AS connect50, n.p90 AS connect90, n.p99 AS connect99,
		ifnull(t.p50 >= 1e6 * coalesce(:round_trip_ms, 20) AND t.count >= coalesce(:count, 4), 0) AS slow_trips,
		c.connecting >= 1e6 * coalesce(:round_trip_ms, 20) * c.opened AND c.opened >= coalesce(:count, 4) AND
			(n.p50 >= 1e6 * coalesce(:round_trip_ms, 20) OR c.process NOT IN (SELECT process FROM lossy)) AS slow_connects
	FROM chosen c
		LEFT JOIN latency t ON t.metric = 'connection.round_trip' AND t.name = ifnull(c.connection, c.service)
			AND t.kind = iif(c.connection IS NULL, 'service', 'connection')
		LEFT JOIN latency n ON n.metric = 'connection.connect' AND n.name = c.service),
lost AS MATERIALIZED (
	SELECT j.*, min(1.0, (iif(j.slow_trips, j.waited, 0) + iif(j.slow_connects, j.connecting + j.unanswered, 0)) * 1.0 / span.ns) AS share
	FROM judged j, span WHERE j.slow_trips OR j.slow_connects),
server AS MATERIALIZED (
	SELECT DISTINCT a.process, r.name AS service, b.process AS server
	FROM metric m JOIN edge_total e ON e.kind = m.id JOIN thread a ON a.task = e.task JOIN thread b ON b.task = e.other_task
		JOIN resource r ON r.id = e.resource
	WHERE m.name = 'connection.peer'),
lookup(id) AS (
	SELECT s.id FROM frame_name f CROSS JOIN stack s USING (frame)
	WHERE f.kind = 'elf' AND (f.name IN ('getaddrinfo', 'getnameinfo') OR f.name GLOB 'gethostby*'
		OR f.name GLOB 'res_*query*' OR f.name GLOB '__res_*query*' OR f.name GLOB '__libc_res_*query*' OR f.name GLOB 'ares_*query*')
	UNION
	SELECT s.id FROM lookup l JOIN stack s ON s.parent = l.id),
looked_up AS MATERIALIZED (
	SELECT w.task, sum(w.count) AS count, sum(w.ns) AS ns FROM wait_stack w WHERE w.stack IN lookup GROUP BY w.task),
-- Short-lived processes of one name are one after the other what a thread is that stays.
asker AS MATERIALIZED (
	SELECT process, pid, tid, comm, cgroup, max(1, sum(count)) AS count, sum(l.ns) AS ns, sum(life) AS life FROM (
		SELECT l.*, t.process, t.pid, t.tid, t.process_comm AS comm, t.cgroup, p.end_ns IS NOT NULL AS ended,
			min(ifnull(p.end_ns, e.end_ns), e.end_ns) - max(ifnull(p.start_ns, 0), e.start_ns) AS life
		FROM looked_up l JOIN thread t USING (task) JOIN process p ON p.id = t.process, period e WHERE NOT t.own) l, span
	GROUP BY iif(ended AND life < coalesce(:lasts, 0.8) * span.ns, comm, task)),
asking AS MATERIALIZED (
	SELECT a.*, min(1.0, max(a.ns * 1.0 / max(span.ns, a.life))) AS share FROM asker a, span
	WHERE a.ns >= coalesce(:lookup, 0.3) * max(span.ns, a.life) AND a.ns >= 1e6 * coalesce(:lookup_ms, 200) * a.count GROUP BY a.process)
SELECT 'waited' AS urgency, l.share AS impact, p.comm, p.pid, printf('%.0f', 100 * l.share) AS percent, 'round trips to ' || l.name AS "where",
	CASE WHEN l.slow_trips THEN printf('half of them take over %.0f ms', l.p50 / 1e6)
		ELSE printf('connecting takes %.0f ms on average', l.connecting / 1e6 / l.opened) END AS how,
	'See where the time goes on the way: mtr ' || rtrim(rtrim(l.service, '0123456789'), ':')
		|| ', tc -s qdisc on both sides (a queue that is long delays all behind it)' AS advice,
	'Ask for more at a time, or several things at once; keep connections open rather than connecting for each request' AS advice2,
	'Bring the two ends closer together, or keep what is asked often in a cache' AS advice3,
	iif(l.connection IS NULL, 'service', 'connection') AS resource_kind, l.name AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'victim', 'pid', p.pid, 'tid', 0, 'comm', p.comm, 'cgroup', p.cgroup) AS x
		UNION ALL SELECT * FROM (SELECT json_object('role', 'victim', 'pid', q.pid, 'tid', 0, 'comm', q.comm, 'cgroup', q.cgroup)
			FROM server s JOIN person q ON q.process = s.server
			WHERE s.process = l.process AND s.service = l.service AND s.server != l.process LIMIT 4))) AS affected,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('metric', 'time that it waited for round trips', 'value', 100 * l.share, 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.2)) AS x
		UNION ALL SELECT json_object('metric', 'round trip p50', 'value', l.p50 / 1e6, 'unit', 'ms',
			'threshold', coalesce(:round_trip_ms, 20)) WHERE l.p50 IS NOT NULL
		UNION ALL SELECT json_object('metric', 'round trip p90', 'value', l.p90 / 1e6, 'unit', 'ms') WHERE l.p50 IS NOT NULL
		UNION ALL SELECT json_object('metric', 'round trip p99', 'value', l.p99 / 1e6, 'unit', 'ms') WHERE l.p50 IS NOT NULL
		UNION ALL SELECT json_object('metric', 'connects', 'value', l.opened, 'unit', 'count') WHERE l.opened
		UNION ALL SELECT json_object('metric', 'connect p50', 'value', l.connect50 / 1e6, 'unit', 'ms') WHERE l.opened AND l.connect50
		UNION ALL SELECT json_object('metric', 'connect p99', 'value', l.connect99 / 1e6, 'unit', 'ms') WHERE l.opened AND l.connect99)
	) AS evidence,
	json_array(json_object('role', 'victim', 'metric', 'wait.net', 'process', l.process)) AS stacks
FROM lost l JOIN person p ON p.process = l.process
WHERE l.share >= coalesce(:share, 0.2)
UNION ALL
SELECT 'waited', a.share, a.comm, a.pid, printf('%.0f', 100 * a.share), 'looking up names',
	printf('name servers take %.0f ms to answer, or do not', a.ns / 1e6 / a.count),
	printf('Ask the name servers by hand: grep nameserver /proc/%d/root/etc/resolv.conf; dig @SERVER NAME', a.pid),
	'See which are slow, and how many queries they get: perfscope record --dns; perfscope report --view network',
	'Take those that do not answer out of resolv.conf, or give up sooner (options timeout:1 attempts:2); a cache on this host helps',
	NULL, NULL,
	json_array(json_object('role', 'victim', 'pid', a.pid, 'tid', a.tid, 'comm', a.comm, 'cgroup', a.cgroup)),
	json_array(
		json_object('metric', 'time that a thread waited for name servers', 'value', 100 * a.share, 'unit', '%',
			'threshold', 100 * coalesce(:lookup, 0.3)),
		json_object('metric', 'each wait', 'value', a.ns / 1e6 / a.count, 'unit', 'ms', 'threshold', coalesce(:lookup_ms, 200)),
		json_object('metric', 'waits', 'value', a.count, 'unit', 'count')),
	(SELECT json_group_array(json_object('role', 'victim', 'metric', m.name, 'process', a.process, 'function', 'getaddrinfo'))
		FROM metric m WHERE m.name IN ('wait.poll', 'wait.net'))
FROM asking a
ORDER BY impact DESC LIMIT 5;
