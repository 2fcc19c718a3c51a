-- SPDX-License-Identifier: BSD-2-Clause
-- title: Listeners, and what waited to be accepted
-- accept mean, seen waiting: from looks ten times a second, the longest that one had waited by then
WITH told AS MATERIALIZED (
	SELECT t.process, t.pid, t.process_comm AS comm, r.name,
		sum(iif(m.name = 'port.overflows', s.value, 0)) AS lost, sum(iif(m.name = 'port.queued', s.value, 0)) AS queued,
		sum(iif(m.name = 'port.queue_limit', s.value, 0)) * 1.0 / nullif(sum(iif(m.name = 'port.queue_limit', s.count, 0)), 0) AS room
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource r ON r.id = s.resource
	WHERE r.kind = 'port' AND NOT t.own GROUP BY t.process, r.id),
accepted AS MATERIALIZED (
	SELECT v.name, v.port, sum(s.count) AS count
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN service v ON v.resource = s.resource
	WHERE m.name = 'connection.accepted' GROUP BY s.resource),
-- By whichever process, at whichever address if it listens at all of them.
told_accepted AS MATERIALIZED (
	SELECT t.process, t.name, sum(a.count) AS count
	FROM told t JOIN accepted a ON a.name = t.name OR t.name = '*:' || a.port GROUP BY t.process, t.name),
queue AS MATERIALIZED (
	SELECT resource AS name, max(value) AS waiting FROM level WHERE metric = 'port.queue' GROUP BY resource)
SELECT nullif(t.lost, 0) AS lost, q.waiting AS waiting_most, CAST(t.room AS INTEGER) AS room, a.count AS accepted,
	nullif(t.queued, 0) / max(1, a.count) AS accept_mean_ns, w.max AS seen_waiting_ns, t.comm AS process,
	t.pid, t.name AS listener
FROM told t LEFT JOIN queue q ON q.name = t.name LEFT JOIN told_accepted a ON a.process = t.process AND a.name = t.name
	LEFT JOIN latency_summary w ON w.metric = 'port.queued' AND w.resource_kind = 'port' AND w.resource = t.name
ORDER BY t.lost DESC, ifnull(q.waiting, 0) DESC, ifnull(a.count, 0) DESC, t.name;
