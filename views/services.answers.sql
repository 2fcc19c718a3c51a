-- SPDX-License-Identifier: BSD-2-Clause
-- title: Services, and what the time of their requests goes into
WITH work AS (
	SELECT r.resource, min(t.pid) AS pid, t.process_comm AS comm, count(DISTINCT t.process) AS processes, sum(r.count) AS count,
		sum(r.ns) AS ns, sum(r.queue) AS queue, sum(r.runqueue) AS runqueue, sum(r.cpu) AS cpu, sum(r.lock) AS lock,
		sum(r.disk) AS disk, sum(r.memory) AS memory, sum(r.peer) AS peer, sum(r.other) AS other, sum(r.elsewhere) AS elsewhere
	FROM request r JOIN thread t ON t.task = r.task
	WHERE NOT t.own GROUP BY r.resource, t.process_comm)
SELECT w.count / (p.ns / 1e9) AS requests_s, w.ns / w.count AS mean_ns, l.p50 AS p50_ns, l.p90 AS p90_ns, l.p99 AS p99_ns,
	l.max AS max_ns, 100.0 * queue / w.ns AS queue_percent, 100.0 * runqueue / w.ns AS run_queue_percent,
	100.0 * cpu / w.ns AS cpu_percent, 100.0 * lock / w.ns AS lock_percent, 100.0 * disk / w.ns AS disk_percent,
	100.0 * memory / w.ns AS memory_percent, 100.0 * peer / w.ns AS peer_percent, 100.0 * other / w.ns AS other_percent,
	100.0 * elsewhere / w.ns AS unknown_percent,
	nullif(w.processes, 1) AS processes, w.pid, w.comm AS process, s.name AS service
FROM work w JOIN service s ON s.resource = w.resource
	LEFT JOIN latency_summary l ON l.metric = 'request.time' AND l.resource_kind = 'service' AND l.resource = s.name, service_period p
WHERE w.count ORDER BY w.ns DESC;
