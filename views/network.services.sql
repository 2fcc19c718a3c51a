-- SPDX-License-Identifier: BSD-2-Clause
-- title: Services: who talks to which address and port, and the time lost there
-- of processes of one name, added up. lost: round trips, connects and failures that were waited for, and time in which the other side left no room or nothing came back
WITH told AS MATERIALIZED (
	SELECT m.name AS metric, t.process, t.pid, t.process_comm AS comm, r.id AS resource, r.kind, r.name, sum(s.count) AS count,
		sum(s.value) AS value
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource r ON r.id = s.resource
	WHERE m.name GLOB 'connection.*' AND NOT t.own GROUP BY m.name, t.process, r.id),
-- What is told of single connections belongs to the service at their end.
trouble AS MATERIALIZED (
	SELECT comm, substr(name, instr(name, ' -> ') + 4) AS service, sum(value) AS ns FROM told
	WHERE kind = 'connection' AND metric IN ('connection.zero_window', 'connection.overdue', 'connection.held')
	GROUP BY comm, service),
service AS MATERIALIZED (
	SELECT min(pid) AS pid, count(DISTINCT process) AS processes, comm, name AS service,
		sum(iif(metric IN ('connection.opened', 'connection.accepted'), count, 0)) AS connections,
		sum(iif(metric = 'connection.accepted', count, 0)) > 0 AS server,
		sum(iif(metric IN ('connection.opened', 'connection.waited', 'connection.unanswered'), value, 0)) AS waited,
		sum(iif(metric = 'connection.sent', value, 0)) AS sent, sum(iif(metric = 'connection.sent', count, 0)) AS segments,
		sum(iif(metric = 'connection.received', value, 0)) AS received,
		sum(iif(metric = 'connection.retransmits', value, 0)) AS again,
		sum(iif(metric IN ('connection.refused', 'connection.timed_out', 'connection.unreachable', 'connection.no_port'), value, 0)) AS failed,
		sum(iif(metric = 'connection.resets', value, 0)) AS resets
	FROM told WHERE kind = 'service' GROUP BY comm, name),
latency AS MATERIALIZED (SELECT * FROM latency_summary WHERE resource_kind = 'service' AND metric GLOB 'connection.*')
SELECT s.waited + ifnull(t.ns, 0) AS lost_ns, s.connections AS opened, nullif(s.failed, 0) AS failed, nullif(s.resets, 0) AS resets,
	s.sent AS sent_bytes, s.received AS received_bytes, 100.0 * s.again / nullif(max(s.segments, s.again), 0) AS again_percent,
	r.p50 AS rtt_p50_ns, r.p99 AS rtt_p99_ns, c.p99 AS connect_p99_ns, nullif(s.processes, 1) AS processes,
	s.pid, s.comm AS process, s.service
FROM service s LEFT JOIN trouble t ON t.comm = s.comm AND t.service = s.service
	LEFT JOIN latency r ON r.metric = 'connection.round_trip' AND r.resource = s.service
	LEFT JOIN latency c ON c.metric = 'connection.connect' AND c.resource = s.service
ORDER BY lost_ns DESC, s.sent + s.received DESC;
