-- SPDX-License-Identifier: BSD-2-Clause
-- title: Who uses the disks
-- request time: of all their requests, those included that the kernel makes later for what they have dirtied, or while they sync; waited: for the disk
WITH used AS (
	SELECT t.process, s.resource, sum(iif(m.name = 'io.time', s.value, 0)) AS ns, sum(iif(m.name = 'io.time', s.count, 0)) AS requests,
		sum(iif(m.name = 'io.read', s.value, 0)) AS read, sum(iif(m.name = 'io.write', s.value, 0)) AS written,
		sum(iif(m.name = 'io.dirtied', s.value, 0)) AS dirtied
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE m.name GLOB 'io.*' AND NOT t.own GROUP BY t.process, s.resource),
wait AS MATERIALIZED (
	SELECT process, sum(ns) AS ns FROM thread_wait WHERE cause IN ('disk', 'dirty') GROUP BY process)
SELECT u.ns AS request_time_ns, nullif(w.ns, 0) AS waited_ns, u.requests, nullif(u.read, 0) AS read_bytes,
	nullif(u.written, 0) AS written_bytes, nullif(u.dirtied, 0) AS dirtied_bytes, p.comm AS process, p.pid, r.name AS disk
FROM used u JOIN process p ON p.id = u.process JOIN resource r ON r.id = u.resource LEFT JOIN wait w ON w.process = u.process
ORDER BY u.ns DESC, u.dirtied DESC;
