-- SPDX-License-Identifier: BSD-2-Clause
-- title: A service's response times break a stated objective
-- summary: {text} at port {port} is broken: it is {value}, {slower} % of {count} requests took longer{process}
-- explain: Looks at objectives that were given with diagnose --slo 'port=8080 p99<20ms'. A response time begins when the request can
--    be read from the connection, whatever its protocol, and ends with the first byte of the answer. A percentile is
--    broken if more requests than it allows took longer than the limit. Without objectives it asks nothing.
-- threshold requests = 10: measured; of fewer a percentile says nothing
-- action: See what the time goes into: perfscope report --view services
-- action: See what its threads wait for: perfscope threads -p {pid}, perfscope flamegraph --kind offcpu -p {pid}
-- runbook: slow-service
WITH objective AS MATERIALIZED (
	SELECT json_extract(value, '$.port') AS port, json_extract(value, '$.figure') AS figure,
		json_extract(value, '$.share') AS share, json_extract(value, '$.limit_ns') AS most, json_extract(value, '$.text') AS text
	FROM json_each(coalesce(:objectives, '[]'))),
bucket AS MATERIALIZED (
	SELECT s.port, l.low_ns, l.high_ns, sum(l.count) AS count
	FROM latency_total l JOIN service s ON s.name = l.resource
	WHERE l.metric = 'request.time' AND l.resource_kind = 'service' AND s.port IN (SELECT port FROM objective)
	GROUP BY s.port, l.low_ns),
rising AS MATERIALIZED (
	SELECT *, sum(count) OVER (PARTITION BY port ORDER BY low_ns) AS until, sum(count) OVER (PARTITION BY port) AS total FROM bucket),
work AS MATERIALIZED (
	SELECT s.port, t.process, sum(r.count) AS count, sum(r.ns) AS ns, sum(r.queue) AS queue, sum(r.runqueue) AS runqueue,
		sum(r.cpu) AS cpu, sum(r.lock) AS lock, sum(r.disk) AS disk, sum(r.memory) AS memory, sum(r.peer) AS peer,
		sum(r.other) AS other, sum(r.elsewhere) AS elsewhere
	FROM request r JOIN service s ON s.resource = r.resource JOIN thread t ON t.task = r.task
	WHERE s.port IN (SELECT port FROM objective) GROUP BY s.port, t.process),
whole AS MATERIALIZED (
	SELECT port, sum(count) AS count, sum(ns) AS ns, sum(queue) AS queue, sum(runqueue) AS runqueue, sum(cpu) AS cpu,
		sum(lock) AS lock, sum(disk) AS disk, sum(memory) AS memory, sum(peer) AS peer, sum(other) AS other,
		sum(elsewhere) AS elsewhere
	FROM work GROUP BY port),
quantile AS MATERIALIZED (
	SELECT r.port, q.share, r.low_ns + (r.high_ns - r.low_ns) * (q.share * r.total - r.until + r.count) / r.count AS ns
	FROM rising r, (SELECT 0.5 AS share UNION SELECT 0.9 UNION SELECT 0.95 UNION SELECT 0.99 UNION SELECT 1.0) q
	WHERE r.until >= q.share * r.total AND r.until - r.count < q.share * r.total),
-- Of the bucket that the limit is in, a part took longer.
judged AS MATERIALIZED (
	SELECT o.*, ifnull(w.count, 0) AS count,
		iif(o.figure = 'mean', w.ns * 1.0 / w.count, (SELECT ns FROM quantile q WHERE q.port = o.port AND q.share = o.share)) AS value,
		(SELECT sum(r.count * min(1.0, max(0.0, (r.high_ns - o.most) * 1.0 / (r.high_ns - r.low_ns)))) FROM rising r
			WHERE r.port = o.port) AS slower,
		(SELECT sum(r.count) FROM rising r WHERE r.port = o.port AND r.low_ns >= o.most) AS surely_slower
	FROM objective o LEFT JOIN whole w ON w.port = o.port),
broken AS MATERIALIZED (
	SELECT *, count >= coalesce(:requests, 10) AS counts FROM judged
	WHERE count < coalesce(:requests, 10) OR CASE figure WHEN 'mean' THEN value > most WHEN 'max' THEN surely_slower > 0
		ELSE slower > (1 - share) * count + 0.001 END),
-- What most of the time of a process's requests goes into, as what its stacks are of.
main AS MATERIALIZED (
	SELECT port, process, metric, max(ns) FROM (
		SELECT port, process, 'cpu.time' AS metric, cpu + runqueue AS ns FROM work UNION ALL
		SELECT port, process, 'wait.lock', lock FROM work UNION ALL SELECT port, process, 'wait.disk', disk FROM work UNION ALL
		SELECT port, process, 'wait.net', peer FROM work UNION ALL SELECT port, process, 'wait.sleep', other FROM work)
	GROUP BY port, process),
caller AS MATERIALIZED (
	SELECT s.port, t.process, sum(c.ns) AS ns FROM call c JOIN service s ON s.resource = c.resource JOIN thread t ON t.task = c.task
	WHERE s.port IN (SELECT port FROM objective) AND NOT t.own GROUP BY s.port, t.process)
SELECT iif(b.counts, 'waited', 'none') AS urgency,
	iif(b.counts, max(0.1, 1 - b.most / max(b.value, b.most)), 0) AS impact, b.text, b.port,
	iif(b.count, printf('%.1f ms', b.value / 1e6), 'not known') AS value, printf('%.1f', 100.0 * ifnull(b.slower, 0) / max(1, b.count)) AS slower,
	iif(b.count, b.count, 'no') AS count, iif(b.counts, ' (' || p.comm || ')', ', too few to tell') AS process, ifnull(p.pid, 0) AS pid,
	'port' AS resource_kind,
	(SELECT iif(count(*) = 1, max(name), '*:' || b.port) FROM service v WHERE v.port = b.port AND v.resource IN (SELECT resource FROM request)) AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', q.pid, 'tid', 0, 'comm', q.comm, 'cgroup', g.path) AS x
			FROM work w JOIN process q ON q.id = w.process LEFT JOIN cgroup g ON g.id = q.cgroup
			WHERE w.port = b.port ORDER BY w.ns DESC LIMIT 5)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', q.pid, 'tid', 0, 'comm', q.comm, 'cgroup', g.path)
			FROM caller c JOIN process q ON q.id = c.process LEFT JOIN cgroup g ON g.id = q.cgroup
			WHERE c.port = b.port ORDER BY c.ns DESC LIMIT 5))) AS affected,
	(SELECT json_group_array(json_object('metric', metric, 'value', value, 'unit', unit)) FROM (
		SELECT 'response time, ' || iif(q.share = 1, 'longest', 'p' || cast(100 * q.share AS INTEGER)) AS metric, q.ns / 1e6 AS value, 'ms' AS unit
		FROM quantile q WHERE q.port = b.port
		UNION ALL SELECT 'response time, mean', w.ns / 1e6 / w.count, 'ms' FROM whole w WHERE w.port = b.port
		UNION ALL SELECT 'limit', b.most / 1e6, 'ms'
		UNION ALL SELECT 'requests', w.count * 1e9 / p.ns, '/s' FROM whole w, service_period p WHERE w.port = b.port
		UNION ALL SELECT * FROM (
			SELECT 'of the time: waiting for a thread to take it', 100.0 * queue / ns, '%' FROM whole WHERE port = b.port AND queue
			UNION ALL SELECT 'of the time: waiting for a CPU', 100.0 * runqueue / ns, '%' FROM whole WHERE port = b.port AND runqueue
			UNION ALL SELECT 'of the time: on a CPU', 100.0 * cpu / ns, '%' FROM whole WHERE port = b.port AND cpu
			UNION ALL SELECT 'of the time: waiting for locks', 100.0 * lock / ns, '%' FROM whole WHERE port = b.port AND lock
			UNION ALL SELECT 'of the time: waiting for disks', 100.0 * disk / ns, '%' FROM whole WHERE port = b.port AND disk
			UNION ALL SELECT 'of the time: waiting for memory', 100.0 * memory / ns, '%' FROM whole WHERE port = b.port AND memory
			UNION ALL SELECT 'of the time: waiting for other processes and hosts', 100.0 * peer / ns, '%' FROM whole
				WHERE port = b.port AND peer
			UNION ALL SELECT 'of the time: sleeping and others', 100.0 * other / ns, '%' FROM whole WHERE port = b.port AND other
			UNION ALL SELECT 'of the time: not known', 100.0 * elsewhere / ns, '%' FROM whole WHERE port = b.port AND elsewhere)))
		AS evidence,
	(SELECT json_group_array(json_object('role', iif(m.metric = 'cpu.time', 'hot', 'culprit'), 'metric', m.metric, 'process', m.process))
		FROM main m WHERE m.port = b.port AND m.process = p.id) AS stacks
FROM broken b LEFT JOIN process p ON p.id = (SELECT process FROM work w WHERE w.port = b.port ORDER BY w.ns DESC LIMIT 1)
ORDER BY impact DESC LIMIT 20;
