-- SPDX-License-Identifier: BSD-2-Clause
-- title: Connections that were held up, by the process at one end
-- on trips: a few segments under way on a slow path; no room: in the receiver's window; not read: data that this process leaves; held: small writes; overdue: nothing came back
WITH told AS MATERIALIZED (
	SELECT t.process, t.pid, t.process_comm AS comm, r.name, m.name AS metric, sum(s.count) AS count, sum(s.value) AS value
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource r ON r.id = s.resource
	WHERE r.kind = 'connection' AND NOT t.own GROUP BY t.process, r.id, m.name),
connection AS MATERIALIZED (
	SELECT pid, comm, name, sum(iif(metric = 'connection.waited', value, 0)) AS waited,
		sum(iif(metric = 'connection.zero_window', value, 0)) AS zero_window,
		sum(iif(metric = 'connection.not_read', value, 0)) AS not_read, sum(iif(metric = 'connection.held', value, 0)) AS held,
		sum(iif(metric = 'connection.overdue', value, 0)) AS overdue,
		sum(iif(metric = 'connection.retransmitted', value, 0)) AS again,
		sum(iif(metric = 'connection.retransmitted', count, 0)) AS segments
	FROM told GROUP BY process, name)
SELECT c.waited + c.zero_window + c.held + c.overdue AS lost_ns, nullif(c.waited, 0) AS on_trips_ns,
	nullif(c.zero_window, 0) AS no_room_ns, nullif(c.not_read, 0) AS not_read_ns, nullif(c.held, 0) AS held_ns,
	nullif(c.overdue, 0) AS overdue_ns, 100.0 * c.again / nullif(max(c.segments, c.again), 0) AS again_percent, l.p50 AS rtt_p50_ns,
	c.comm AS process, c.pid, c.name AS connection
FROM connection c LEFT JOIN latency_summary l
	ON l.metric = 'connection.round_trip' AND l.resource_kind = 'connection' AND l.resource = c.name
ORDER BY lost_ns DESC, not_read DESC;
