-- SPDX-License-Identifier: BSD-2-Clause
-- title: The same by function, without what it calls
-- empty: SELECT coalesce((SELECT 'not recorded: ' || reason FROM unavailable WHERE probe = 'pmu'),
--    (SELECT iif((SELECT value FROM meta WHERE key = 'sampled_by') = 'cpu-clock', 'this machine shows no hardware counters',
--    'not recorded: record --pmu does it') WHERE NOT EXISTS (SELECT 1 FROM metric WHERE name GLOB 'pmu.*')))
SELECT sum(c.cycles) AS cycles, sum(c.instructions) AS instructions,
	sum(c.instructions) * 1.0 / nullif(sum(c.cycles), 0) AS ipc,
	sum(c.cache_misses) * 1000.0 / nullif(sum(c.instructions), 0) AS cache_misses,
	sum(c.branch_misses) * 1000.0 / nullif(sum(c.instructions), 0) AS branch_misses,
	100.0 * sum(c.stalled) / nullif(sum(c.cycles), 0) AS stalled_percent, t.process_comm AS process, t.pid,
	ifnull(n.name, 'stack not readable') AS function
FROM counter c JOIN thread t USING (task) LEFT JOIN stack k ON k.id = c.stack LEFT JOIN frame_name n ON n.frame = k.frame
WHERE NOT t.own GROUP BY t.process, n.name ORDER BY coalesce(sum(c.cycles), sum(c.instructions), sum(c.cache_misses), sum(c.branch_misses)) DESC;
