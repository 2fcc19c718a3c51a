-- SPDX-License-Identifier: BSD-2-Clause
-- title: Memory of processes, and the time that they were held up by its shortage
-- held up: making room for others' pages or waiting for pages' content; resident: at the end; grown: since the start; private: of that, what no file or process shares
WITH last_slice AS MATERIALIZED (SELECT last FROM period),
-- Levels are written when they change: what holds at the start may be older than the part that is looked at.
known AS MATERIALIZED (
	SELECT t.process, m.name AS metric, s.slice, sum(s.value) AS bytes
	FROM main.sample s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE m.name IN ('memory.resident', 'memory.private') AND s.slice <= (SELECT last FROM last_slice) AND NOT t.own
	GROUP BY t.process, m.name, s.slice),
last_level AS MATERIALIZED (SELECT process, metric, bytes, max(slice) FROM known GROUP BY process, metric),
first_level AS MATERIALIZED (
	SELECT process, metric, bytes, min(iif(slice <= (SELECT first FROM period), -slice, slice)) FROM known GROUP BY process, metric),
told AS MATERIALIZED (
	SELECT t.process, sum(iif(m.name = 'fault.minor', s.value, 0)) AS minor, sum(iif(m.name = 'fault.major', s.value, 0)) AS major,
		sum(iif(m.name GLOB 'reclaim.*', s.value, 0)) AS stalled
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE m.name IN ('fault.minor', 'fault.major') OR m.name GLOB 'reclaim.*' GROUP BY t.process),
paged AS MATERIALIZED (SELECT process, sum(ns) AS ns FROM thread_wait WHERE cause = 'fault' GROUP BY process)
SELECT nullif(ifnull(t.stalled, 0) + ifnull(w.ns, 0), 0) AS held_up_ns, r.bytes AS resident_bytes,
	nullif(r.bytes - f.bytes, 0) AS grown_bytes, o.bytes AS private_bytes, nullif(o.bytes - g.bytes, 0) AS private_grown_bytes,
	nullif(t.minor, 0) AS minor_faults, nullif(t.major, 0) AS major_faults, p.pid, p.comm AS process
FROM last_level r JOIN process p ON p.id = r.process JOIN first_level f ON f.process = r.process AND f.metric = r.metric
	LEFT JOIN last_level o ON o.process = r.process AND o.metric = 'memory.private'
	LEFT JOIN first_level g ON g.process = r.process AND g.metric = 'memory.private'
	LEFT JOIN told t ON t.process = r.process LEFT JOIN paged w ON w.process = r.process
WHERE r.metric = 'memory.resident'
ORDER BY ifnull(t.stalled, 0) + ifnull(w.ns, 0) DESC, r.bytes DESC;
