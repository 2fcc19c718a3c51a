-- SPDX-License-Identifier: BSD-2-Clause
-- title: Disks: how busy they are
-- in queue: requests waiting or in progress, on average; in line: requests that begin where the one before ended
WITH level AS MATERIALIZED (
	SELECT g.resource, m.name AS metric, sum(g.value) AS sum, sum(g.value * (s.end_ns - s.start_ns)) / (SELECT ns FROM period) AS mean
	FROM gauge g JOIN metric m ON m.id = g.metric JOIN slice s ON s.id = g.slice
	WHERE m.name GLOB 'disk.*' GROUP BY g.resource, m.id),
disk AS (
	SELECT resource, max(iif(metric = 'disk.busy', mean, 0)) AS busy, max(iif(metric = 'disk.queue', mean, 0)) AS queue,
		max(iif(metric = 'disk.bytes.read', sum, 0)) AS read, max(iif(metric = 'disk.bytes.write', sum, 0)) AS written,
		max(iif(metric = 'disk.sequential', sum, 0)) AS sequential, max(iif(metric = 'disk.errors', sum, 0)) AS errors
	FROM level GROUP BY resource),
request AS (
	SELECT resource, sum(count) AS count FROM latency_total
	WHERE resource_kind = 'disk' AND metric GLOB 'disk.device_time.*' GROUP BY resource)
SELECT d.busy AS busy_percent, d.queue AS in_queue, q.count / (p.ns / 1e9) AS requests_s, d.read AS read_bytes, d.written AS written_bytes,
	100.0 * d.sequential / q.count AS in_line_percent, nullif(d.errors, 0) AS errors, r.name AS disk
FROM disk d JOIN resource r ON r.id = d.resource LEFT JOIN request q ON q.resource = r.name, period p
WHERE r.kind = 'disk' AND (d.busy > 0 OR q.count)
ORDER BY d.busy DESC, q.count DESC;
