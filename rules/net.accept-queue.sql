-- SPDX-License-Identifier: BSD-2-Clause
-- title: A listener's queue overflows or stays full
-- summary: {comm} {what} to {listener}: their queue is full
-- kind: wait
-- explain: Asks each listening socket for the connections that it has lost. One is lost when its queue of connections
--    that nobody has accepted yet is full; its client tries again a second later, and then later still. So the process
--    accepts too slowly, or the queue is too short for a burst.
-- threshold drops = 5: in all; fewer may be a scan
-- threshold share = 0.05: of the connections that were asked for; a rare burst costs one of many a second
-- threshold full = 0.5: or of the looks, one a second, that found the queue full, though nothing was lost; and two of them at least
-- action: Find out what keeps {comm} from accepting: perfscope threads -p {pid}; perfscope flamegraph --kind offcpu -p {pid}
-- action: Make the queue longer if it is only bursts: the second argument of listen(), and net.core.somaxconn
-- runbook: network-latency
WITH span AS MATERIALIZED (SELECT last - first + 1 AS slices, ns FROM period),
told AS MATERIALIZED (
	SELECT r.name AS listener, th.process, th.pid, th.process_comm AS comm, th.cgroup,
		sum(iif(m.name = 'port.overflows', s.value, 0)) AS drops, sum(iif(m.name = 'port.queued', s.value, 0)) AS queued,
		-- Summed over looks; the limit of one look is the mean.
		sum(iif(m.name = 'port.queue_limit', s.value, 0)) * 1.0 / nullif(sum(iif(m.name = 'port.queue_limit', s.count, 0)), 0) AS room
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource JOIN thread th ON th.task = s.task
	WHERE m.name IN ('port.overflows', 'port.queue_limit', 'port.queued') AND NOT th.own GROUP BY s.resource, th.process),
accepted AS MATERIALIZED (SELECT ifnull(sum(value), 0) AS count FROM level WHERE metric = 'tcp.accepts'),
queue AS MATERIALIZED (
	SELECT t.listener, t.process, max(l.value) AS waiting, sum(l.value >= t.room) AS full
	FROM told t JOIN level l ON l.metric = 'port.queue' AND l.resource = t.listener GROUP BY t.listener, t.process),
judged AS MATERIALIZED (
	SELECT t.*, ifnull(q.waiting, 0) AS waiting, a.count AS accepted, ifnull(q.full, 0) * 1.0 / span.slices AS full,
		t.drops >= coalesce(:drops, 5) AND t.drops >= coalesce(:share, 0.05) * (t.drops + a.count) AS overflows,
		ifnull(q.full, 0) >= 2 AND q.full >= coalesce(:full, 0.5) * span.slices AS stays
	FROM told t LEFT JOIN queue q ON q.listener = t.listener AND q.process = t.process, accepted a, span)
SELECT 'waited' AS urgency, max(iif(d.overflows, d.drops * 1.0 / (d.drops + d.accepted), 0), iif(d.stays, d.full, 0)) AS impact,
	d.comm, d.pid, d.listener, iif(d.overflows, printf('lost %d connections', d.drops), printf('lets %d connections wait', d.waiting)) AS what,
	'port' AS resource_kind, d.listener AS resource_name,
	json_array(json_object('role', 'culprit', 'pid', d.pid, 'tid', 0, 'comm', d.comm, 'cgroup', d.cgroup)) AS affected,
	json_array(
		json_object('metric', 'connections lost', 'value', d.drops, 'unit', 'count', 'threshold', coalesce(:drops, 5)),
		json_object('metric', 'share of those asked for', 'value', 100.0 * d.drops / max(1, d.drops + d.accepted), 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.05)),
		json_object('metric', 'looks that found it full', 'value', 100.0 * d.full, 'unit', '%', 'threshold', 100 * coalesce(:full, 0.5)),
		json_object('metric', 'waiting to be accepted', 'value', d.waiting, 'unit', 'connections'),
		json_object('metric', 'waiting to be accepted, on average', 'value', d.queued * 1.0 / span.ns, 'unit', 'connections'),
		json_object('metric', 'longest seen waiting to be accepted', 'value', ifnull((SELECT l.max FROM latency_summary l
			WHERE l.metric = 'port.queued' AND l.resource_kind = 'port' AND l.resource = d.listener), 0) / 1e6, 'unit', 'ms'),
		json_object('metric', 'room in the queue', 'value', ifnull(d.room, 0), 'unit', 'connections')) AS evidence,
	json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', d.process)) AS stacks
FROM judged d, span WHERE d.overflows OR d.stays;
