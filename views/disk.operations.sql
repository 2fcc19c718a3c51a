-- SPDX-License-Identifier: BSD-2-Clause
-- title: Requests to disks: time in the kernel's queue, and in the device
-- histogram: of the device's time, below 1 us, below 4 us, ..., below 4 s, and longer
WITH spent AS MATERIALIZED (
	SELECT metric, resource, sum(count * (low_ns + high_ns)) / 2 AS ns FROM latency_total
	WHERE resource_kind = 'disk' AND metric GLOB 'disk.*_time.*' GROUP BY metric, resource),
summary AS MATERIALIZED (
	SELECT l.*, s.ns FROM latency_summary l JOIN spent s ON s.metric = l.metric AND s.resource = l.resource
	WHERE l.resource_kind = 'disk')
SELECT d.ns + ifnull(q.ns, 0) AS time_ns, d.count AS requests, q.p50 AS queue_p50_ns, q.p99 AS queue_p99_ns,
	d.p50 AS device_p50_ns, d.p99 AS device_p99_ns, d.max AS device_max_ns, l.histogram, substr(d.metric, 18) AS operation, d.resource AS disk
FROM summary d JOIN resource r ON r.kind = 'disk' AND r.name = d.resource
	LEFT JOIN latency_shape l ON l.metric = d.metric AND l.resource = r.id
	LEFT JOIN summary q ON q.resource = d.resource AND q.metric = 'disk.queue_time.' || substr(d.metric, 18)
WHERE d.metric GLOB 'disk.device_time.*'
ORDER BY time_ns DESC;
