-- SPDX-License-Identifier: BSD-2-Clause
-- title: A listener's queue overflows
-- summary: {comm} lost {drops} connections to {listener} because their queue was full
-- explain: Asks each listening socket for the connections that it has lost. One is lost when its queue of connections
--    that nobody has accepted yet is full; its client tries again a second later, and then later still. So the process
--    accepts too slowly, or the queue is too short for a burst.
-- threshold drops = 5: in all; fewer may be a scan
-- threshold share = 0.05: of the connections that were asked for; a rare burst costs one of many a second
-- action: Find out what keeps {comm} from accepting: perfscope threads -p {pid}; perfscope flamegraph --kind offcpu -p {pid}
-- action: Make the queue longer if it is only bursts: the second argument of listen(), and net.core.somaxconn
WITH drop_ AS MATERIALIZED (
	SELECT s.resource, r.name AS listener, th.process, th.pid, th.process_comm AS comm, th.cgroup, sum(s.value) AS drops,
		max(th.task) AS task
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource JOIN thread th ON th.task = s.task
	WHERE m.name = 'port.overflows' GROUP BY s.resource, th.process),
accepted AS MATERIALIZED (SELECT ifnull(sum(value), 0) AS count FROM level WHERE metric = 'tcp.accepts'),
queue AS MATERIALIZED (
	SELECT resource AS listener, max(value) AS waiting FROM level WHERE metric = 'port.queue' GROUP BY resource),
-- Summed over looks; the limit of one look is the mean.
room AS MATERIALIZED (
	SELECT s.resource, sum(s.value) * 1.0 / sum(s.count) AS room FROM sample_total s JOIN metric m ON m.id = s.metric
	WHERE m.name = 'port.queue_limit' GROUP BY s.resource)
SELECT 'waited' AS urgency, d.drops * 1.0 / (d.drops + a.count) AS impact, d.comm, d.pid, d.drops, d.listener,
	'port' AS resource_kind, d.listener AS resource_name,
	json_array(json_object('role', 'culprit', 'pid', d.pid, 'tid', 0, 'comm', d.comm, 'cgroup', d.cgroup)) AS affected,
	json_array(
		json_object('metric', 'connections lost', 'value', d.drops, 'unit', 'count', 'threshold', coalesce(:drops, 5)),
		json_object('metric', 'share of those asked for', 'value', 100.0 * d.drops / (d.drops + a.count), 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.05)),
		json_object('metric', 'waiting to be accepted', 'value', ifnull(q.waiting, 0), 'unit', 'connections'),
		json_object('metric', 'room in the queue', 'value', ifnull(o.room, 0), 'unit', 'connections')) AS evidence,
	json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', d.process)) AS stacks
FROM drop_ d LEFT JOIN queue q ON q.listener = d.listener LEFT JOIN room o ON o.resource = d.resource, accepted a
WHERE d.drops >= coalesce(:drops, 5) AND d.drops >= coalesce(:share, 0.05) * (d.drops + a.count);
