-- SPDX-License-Identifier: BSD-2-Clause
-- Every resource: how much of it is used, how much waits for it, what failed, how long it takes, and who uses it most.
-- By hand: sqlite3 -box perfscope.db < saturation.sql
WITH span AS MATERIALIZED (SELECT ns, last FROM period),
-- Amounts and shares: what is not written is 0.
total(metric, resource, sum, mean, most) AS MATERIALIZED (
	SELECT l.metric, ifnull(l.resource, ''), sum(l.value), sum(l.value * (s.end_ns - s.start_ns)) / (SELECT ns FROM span),
		max(l.value)
	FROM level l JOIN slice s ON s.id = l.slice GROUP BY l.metric, l.resource),
-- Levels: what is not written is as it was, also from before the part that is looked at.
last(metric, resource, value, slice) AS MATERIALIZED (
	SELECT m.name, ifnull(r.name, ''), g.value, max(g.slice)
	FROM main.gauge g JOIN metric m ON m.id = g.metric LEFT JOIN main.resource r ON r.id = g.resource
	WHERE g.slice <= (SELECT last FROM span) AND (m.name GLOB 'memory.*' OR m.name GLOB 'swap.*' OR m.name GLOB 'disk.size'
		OR m.name GLOB 'filesystem.*' OR m.name GLOB 'interface.speed' OR m.name GLOB 'limit.*' OR m.name GLOB 'process.*'
		OR m.name GLOB 'cgroup.*' OR m.name = 'tcp.established')
	GROUP BY m.name, r.name),
least(metric, value) AS MATERIALIZED (
	SELECT metric, min(value) FROM level WHERE metric IN ('memory.available', 'swap.free') GROUP BY metric),
-- Latencies of one kind of resource, whatever the operation.
buckets(kind, resource, high_ns, count) AS MATERIALIZED (
	SELECT 'run queue', resource, high_ns, sum(count) FROM latency_total
	WHERE metric = 'runqueue.latency' GROUP BY resource, high_ns
	UNION ALL
	SELECT 'CPU', '', high_ns, sum(count) FROM latency_total WHERE metric = 'runqueue.latency' GROUP BY high_ns
	UNION ALL
	SELECT 'disk', resource, high_ns, sum(count) FROM latency_total
	WHERE metric GLOB 'disk.device_time.*' GROUP BY resource, high_ns),
percentile(kind, resource, p50, p90, p99, max) AS MATERIALIZED (
	SELECT kind, resource, min(iif(below >= 0.5 * total, high_ns, NULL)), min(iif(below >= 0.9 * total, high_ns, NULL)),
		min(iif(below >= 0.99 * total, high_ns, NULL)), max(high_ns)
	FROM (SELECT kind, resource, high_ns, sum(count) OVER (PARTITION BY kind, resource ORDER BY high_ns) AS below,
			sum(count) OVER (PARTITION BY kind, resource) AS total
		FROM buckets)
	GROUP BY kind, resource),
-- Who has most of it; perfscope itself only where nobody else is.
busiest(pid, comm, running) AS MATERIALIZED (
	SELECT pid, comm, running FROM process_state WHERE NOT own ORDER BY running DESC LIMIT 1),
disk_user(resource, pid, comm, ns) AS MATERIALIZED (
	SELECT resource, pid, comm, max(ns) FROM (
		SELECT r.name AS resource, th.pid, th.process_comm AS comm, sum(s.value) AS ns
		FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread th ON th.task = s.task JOIN resource r ON r.id = s.resource
		WHERE m.name = 'io.time' AND NOT th.own GROUP BY r.name, th.process)
	GROUP BY resource),
waiter(cause, pid, comm, ns, all_ns) AS MATERIALIZED (
	SELECT cause, pid, comm, max(ns), sum(ns) FROM (
		SELECT cause, pid, process_comm AS comm, sum(ns) AS ns FROM thread_wait WHERE NOT own GROUP BY cause, process)
	GROUP BY cause),
reclaimer(pid, comm, ns, all_ns) AS MATERIALIZED (
	SELECT pid, comm, max(ns), sum(ns) FROM (
		SELECT th.pid, th.process_comm AS comm, sum(s.value) AS ns
		FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread th ON th.task = s.task
		WHERE m.name GLOB 'reclaim.*' GROUP BY th.process)),
-- Levels of processes at the end.
resident(process, cgroup, bytes, slice) AS MATERIALIZED (
	SELECT t.process, t.cgroup, s.value, max(s.slice)
	FROM main.sample s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN main.process p ON p.id = t.process
	WHERE m.name = 'memory.resident' AND p.end_ns IS NULL AND s.slice <= (SELECT last FROM span) AND NOT t.own GROUP BY t.process),
threads(process, cgroup, threads) AS MATERIALIZED (
	SELECT t.process, t.cgroup, count(*) FROM thread t JOIN main.task k ON k.id = t.task
	WHERE k.end_ns IS NULL AND NOT t.own AND NOT t.kernel GROUP BY t.process),
-- Who has most of what else; what is at fault (rank 1) before what is merely much.
part(kind, resource, rank, process, amount) AS (
	SELECT k.kind, '', k.rank, t.process, sum(s.value)
	FROM (SELECT 'TCP' AS kind, 1 AS rank, 'connection.retransmits' AS metric UNION ALL SELECT 'TCP', 2, 'connection.not_read'
		UNION ALL SELECT 'TCP', 3, 'connection.sent' UNION ALL SELECT 'listen queues', 1, 'port.overflows'
		UNION ALL SELECT 'listen queues', 2, 'port.queued') k
	JOIN metric m ON m.name = k.metric JOIN sample_total s ON s.metric = m.id JOIN thread t ON t.task = s.task
	WHERE NOT t.own GROUP BY k.kind, k.rank, t.process
	UNION ALL
	SELECT 'UDP', '', 1, t.process, sum(s.value)
	FROM metric m JOIN sample_total s ON s.metric = m.id JOIN resource r ON r.id = s.resource JOIN thread t ON t.task = s.task
	WHERE m.name = 'packet.drops' AND r.name GLOB '*udp*' AND NOT t.own GROUP BY t.process
	UNION ALL
	SELECT 'memory', '', 1, process, bytes FROM resident
	UNION ALL
	SELECT 'memory limit', l.resource, 1, p.process, p.bytes
	FROM last l JOIN resident p ON p.cgroup = l.resource OR substr(p.cgroup, 1, length(l.resource) + 1) = l.resource || '/'
	WHERE l.metric = 'cgroup.memory_limit'
	UNION ALL
	SELECT 'threads', '', 1, process, threads FROM threads
	UNION ALL
	SELECT 'task limit', l.resource, 1, p.process, p.threads
	FROM last l JOIN threads p ON p.cgroup = l.resource OR substr(p.cgroup, 1, length(l.resource) + 1) = l.resource || '/'
	WHERE l.metric = 'cgroup.tasks_limit'),
most(kind, resource, pid, comm) AS MATERIALIZED (
	SELECT x.kind, x.resource, p.pid, p.comm
	FROM (SELECT *, row_number() OVER (PARTITION BY kind, resource ORDER BY rank, amount DESC) AS place FROM part WHERE amount > 0) x
	JOIN process p ON p.id = x.process WHERE x.place = 1),
cgroup_user(cgroup, pid, comm, running, all_running) AS MATERIALIZED (
	SELECT resource, pid, comm, max(running), sum(running) FROM (
		SELECT l.resource, p.pid, p.comm, p.running
		FROM last l JOIN process_state p ON p.cgroup = l.resource
			OR substr(p.cgroup, 1, length(l.resource) + 1) = l.resource || '/'
		WHERE l.metric = 'cgroup.quota' AND NOT p.own)
	GROUP BY resource),
row(place, kind, resource, utilisation, saturation, saturation_unit, errors, errors_unit, latency, pid, comm, note, missing) AS (
	SELECT 1, 'CPU', '', (SELECT avg(busy) FROM cpu_share),
		(SELECT sum(runnable) * 1.0 FROM process_state) / (SELECT ns FROM span), 'threads', NULL, NULL, 'CPU',
		(SELECT pid FROM busiest), (SELECT comm FROM busiest), NULL, NULL
	UNION ALL
	SELECT 2, 'run queue', cpu, busy, NULL, NULL, NULL, NULL, 'run queue', NULL, NULL, NULL, NULL FROM cpu_share
	UNION ALL
	SELECT 3, 'interrupts', 'CPU ' || cpu, irq, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM cpu_share
	WHERE irq >= 5
	UNION ALL
	SELECT 4, 'hypervisor', '', max(steal), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'taken from us, on the worst CPU', NULL
	FROM cpu_share HAVING max(steal) >= 1
	UNION ALL
	SELECT 5, 'memory', '', 100 * (1 - coalesce(l.value, a.value) / t.value), iif(k.known, ifnull(p.mean, 0), NULL), '% of time',
		ifnull(o.sum, 0), 'killed', NULL, r.pid, r.comm,
		NULL, iif(k.known, NULL, 'no pressure information')
	FROM last t LEFT JOIN least l ON l.metric = 'memory.available' LEFT JOIN last a ON a.metric = 'memory.available'
	LEFT JOIN total p ON p.metric = 'pressure.memory.some' LEFT JOIN total o ON o.metric = 'memory.oom_kills'
	LEFT JOIN reclaimer r ON r.pid,
		(SELECT EXISTS (SELECT 1 FROM total WHERE metric GLOB 'pressure.*') AS known) k
	WHERE t.metric = 'memory.total'
	UNION ALL
	SELECT 6, 'swap', '', iif(t.value > 0, 100 * (1 - coalesce(l.value, f.value) / t.value), NULL),
		iif(t.value > 0, (ifnull(i.sum, 0) + ifnull(o.sum, 0)) * 1e9 / (SELECT ns FROM span), NULL), 'bytes/s', NULL, NULL,
		NULL, NULL, NULL, NULL, iif(t.value > 0, NULL, 'there is none')
	FROM last t LEFT JOIN least l ON l.metric = 'swap.free' LEFT JOIN last f ON f.metric = 'swap.free'
	LEFT JOIN total i ON i.metric = 'swap.in' LEFT JOIN total o ON o.metric = 'swap.out'
	WHERE t.metric = 'swap.total'
	UNION ALL
	SELECT 7, 'disk', d.resource, ifnull(b.mean, 0), ifnull(q.mean, 0), 'requests', ifnull(e.sum, 0), 'failed',
		'disk', u.pid, u.comm, NULL, NULL
	FROM (SELECT resource FROM last WHERE metric = 'disk.size' UNION SELECT resource FROM total WHERE metric = 'disk.busy') d
	LEFT JOIN total b ON b.metric = 'disk.busy' AND b.resource = d.resource
	LEFT JOIN total q ON q.metric = 'disk.queue' AND q.resource = d.resource
	LEFT JOIN total e ON e.metric = 'disk.errors' AND e.resource = d.resource
	LEFT JOIN disk_user u ON u.resource = d.resource
	UNION ALL
	SELECT 8, 'file system', s.resource,
		max(100 * u.value / s.value, ifnull(100 * iu.value / nullif(i.value, 0), 0)), NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		iif(100 * iu.value / nullif(i.value, 0) > 100 * u.value / s.value, 'inodes', NULL), NULL
	FROM last s JOIN last u ON u.metric = 'filesystem.used' AND u.resource = s.resource
	LEFT JOIN last i ON i.metric = 'filesystem.inodes' AND i.resource = s.resource
	LEFT JOIN last iu ON iu.metric = 'filesystem.inodes_used' AND iu.resource = s.resource
	WHERE s.metric = 'filesystem.size' AND s.value > 0 AND u.value > 0
	UNION ALL
	SELECT 9, 'interface', s.resource, iif(s.value > 0, ifnull(b.mean, 0), NULL), ifnull(d.sum, 0), 'dropped',
		ifnull(e.sum, 0), 'damaged', NULL, NULL, NULL,
		iif(s.value > 0, NULL, printf('%.1f MB/s in, %.1f out', ifnull(i.sum, 0) * 1e3 / (SELECT ns FROM span),
			ifnull(o.sum, 0) * 1e3 / (SELECT ns FROM span))), iif(s.value > 0, NULL, iif(s.resource = 'lo', 'has no limit', 'speed unknown'))
	FROM last s LEFT JOIN total b ON b.metric = 'interface.busy' AND b.resource = s.resource
	LEFT JOIN total d ON d.metric = 'interface.drops' AND d.resource = s.resource
	LEFT JOIN total e ON e.metric = 'interface.errors' AND e.resource = s.resource
	LEFT JOIN total i ON i.metric = 'interface.received' AND i.resource = s.resource
	LEFT JOIN total o ON o.metric = 'interface.sent' AND o.resource = s.resource
	WHERE s.metric = 'interface.speed'
	UNION ALL
	SELECT 10, 'TCP', '', NULL, ifnull(z.sum, 0), 'windows shut', ifnull(r.sum, 0), 'sent again', NULL, NULL, NULL,
		NULL, NULL
	FROM last e LEFT JOIN total z ON z.metric = 'tcp.zero_windows' LEFT JOIN total r ON r.metric = 'tcp.retransmits'
	WHERE e.metric = 'tcp.established'
	UNION ALL
	SELECT 11, 'listen queues', '', NULL, ifnull(o.sum, 0), 'refused', ifnull(d.sum, 0), 'lost', NULL, NULL, NULL, NULL, NULL
	FROM last e LEFT JOIN total o ON o.metric = 'tcp.listen_overflows' LEFT JOIN total d ON d.metric = 'tcp.listen_drops'
	WHERE e.metric = 'tcp.established'
	UNION ALL
	SELECT 12, 'UDP', '', NULL, ifnull(r.sum, 0) + ifnull(s.sum, 0), 'dropped', NULL, NULL, NULL, NULL, NULL, NULL, NULL
	FROM last e LEFT JOIN total r ON r.metric = 'udp.receive_drops' LEFT JOIN total s ON s.metric = 'udp.send_drops'
	WHERE e.metric = 'tcp.established'
	UNION ALL
	SELECT 13, 'locks', '', NULL, ifnull((SELECT all_ns FROM waiter WHERE cause = 'lock'), 0) * 1.0 / (SELECT ns FROM span),
		'threads', NULL, NULL, NULL, (SELECT pid FROM waiter WHERE cause = 'lock'),
		(SELECT comm FROM waiter WHERE cause = 'lock'), 'idle workers sleep on locks, too', NULL
	FROM (SELECT 1 FROM metric WHERE name = 'offcpu.lock')
	UNION ALL
	SELECT 14, 'kernel locks', '', NULL,
		ifnull((SELECT all_ns FROM waiter WHERE cause = 'kernel_lock'), 0) * 1.0 / (SELECT ns FROM span), 'threads',
		NULL, NULL, NULL, (SELECT pid FROM waiter WHERE cause = 'kernel_lock'),
		(SELECT comm FROM waiter WHERE cause = 'kernel_lock'), NULL, NULL
	FROM (SELECT 1 FROM metric WHERE name = 'offcpu.kernel_lock')
	UNION ALL
	SELECT 15, CASE u.metric WHEN 'limit.files' THEN 'open files' WHEN 'limit.threads' THEN 'threads'
			ELSE 'tracked connections' END, '', 100 * u.value / m.value, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
	FROM last u JOIN last m ON m.metric = u.metric || '_most'
	WHERE u.metric IN ('limit.files', 'limit.threads', 'limit.connections') AND m.value > 0
	UNION ALL
	SELECT 16, 'open files', '', 100 * u.value / m.value, NULL, NULL, NULL, NULL, NULL,
		CAST(u.resource AS INTEGER), substr(u.resource, instr(u.resource, ' ') + 1), 'of one process', NULL
	FROM last u JOIN last m ON m.metric = 'process.files_most' AND m.resource = u.resource
	WHERE u.metric = 'process.files' AND m.value > 0
	UNION ALL
	SELECT 17, 'CPU quota', q.resource, 100.0 * u.all_running / (SELECT ns FROM span) / q.value,
		100.0 * ifnull(t.sum, 0) / nullif(n.sum, 0), '% of periods', NULL, NULL, NULL, u.pid, u.comm,
		printf('%.2f CPUs', q.value), NULL
	FROM last q LEFT JOIN total t ON t.metric = 'cgroup.periods_throttled' AND t.resource = q.resource
	LEFT JOIN total n ON n.metric = 'cgroup.periods' AND n.resource = q.resource
	LEFT JOIN cgroup_user u ON u.cgroup = q.resource
	WHERE q.metric = 'cgroup.quota' AND q.value > 0
	UNION ALL
	SELECT 18, 'memory limit', m.resource, 100 * coalesce(h.most, v.value) / m.value, ifnull(f.sum, 0), 'times full',
		ifnull(o.sum, 0), 'killed', NULL, NULL, NULL, NULL, NULL
	FROM last m LEFT JOIN last v ON v.metric = 'cgroup.memory' AND v.resource = m.resource
	LEFT JOIN total h ON h.metric = 'cgroup.memory' AND h.resource = m.resource
	LEFT JOIN total f ON f.metric = 'cgroup.memory_failures' AND f.resource = m.resource
	LEFT JOIN total o ON o.metric = 'cgroup.oom_kills' AND o.resource = m.resource
	WHERE m.metric = 'cgroup.memory_limit' AND m.value > 0
	UNION ALL
	-- From Linux 6.11 on, the cgroups above count a refusal as well: what those of one depth count is added up, and the most is taken.
	SELECT 19, 'task limit', m.resource, 100 * coalesce(h.most, v.value) / m.value, NULL, NULL, ifnull((SELECT max(n) FROM (
			SELECT sum(f.sum) AS n FROM total f WHERE f.metric = 'cgroup.tasks_refused'
				AND (f.resource = m.resource OR substr(f.resource, 1, length(m.resource) + 1) = m.resource || '/')
			GROUP BY length(f.resource) - length(replace(f.resource, '/', '')))), 0), 'refused',
		NULL, NULL, NULL, printf('%.0f of %.0f', coalesce(h.most, v.value), m.value), NULL
	FROM last m JOIN last v ON v.metric = 'cgroup.tasks' AND v.resource = m.resource
	LEFT JOIN total h ON h.metric = 'cgroup.tasks' AND h.resource = m.resource
	WHERE m.metric = 'cgroup.tasks_limit' AND m.value > 0
	UNION ALL
	SELECT 20, 'cgroup limits', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		iif(EXISTS (SELECT 1 FROM metric WHERE name = 'cgroup.tasks_limit'), 'none for CPU or memory, and none for tasks is half used', 'not measured')
	WHERE NOT EXISTS (SELECT 1 FROM last WHERE metric IN ('cgroup.quota', 'cgroup.memory_limit', 'cgroup.tasks_limit') AND value > 0))
SELECT r.kind, r.resource, r.utilisation, r.saturation, r.saturation_unit, r.errors, r.errors_unit, p.p50, p.p90, p.p99,
	p.max, ifnull(r.pid, w.pid), ifnull(r.comm, w.comm), r.note, r.missing
FROM row r LEFT JOIN percentile p ON p.kind = r.latency AND p.resource = r.resource
	LEFT JOIN most w ON r.pid IS NULL AND w.kind = r.kind AND w.resource = r.resource
ORDER BY r.place, r.resource;
