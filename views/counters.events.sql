-- SPDX-License-Identifier: BSD-2-Clause
-- title: Each event by process and function (record --pmu-events)
-- empty: SELECT coalesce((SELECT 'not recorded: ' || reason FROM unavailable WHERE probe = 'pmu'),
--    (SELECT 'not recorded: record --pmu-events does it' WHERE NOT EXISTS (SELECT 1 FROM metric WHERE name GLOB 'pmu.*')))
SELECT substr(m.name, 5) AS event, sum(s.value) AS events, 100.0 * sum(s.value) / sum(sum(s.value)) OVER (PARTITION BY m.id) AS all_percent,
	t.process_comm AS process, t.pid, ifnull(n.name, 'stack not readable') AS function
FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	LEFT JOIN stack k ON k.id = s.stack LEFT JOIN frame_name n ON n.frame = k.frame
WHERE m.name GLOB 'pmu.*' AND NOT t.own GROUP BY m.id, t.process, n.name
ORDER BY all_percent DESC;
