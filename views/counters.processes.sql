-- SPDX-License-Identifier: BSD-2-Clause
-- title: Hardware counters by process (record --pmu): instructions a cycle, misses per 1,000 instructions, stalled cycles
-- empty: SELECT coalesce((SELECT 'not recorded: ' || reason FROM unavailable WHERE probe = 'pmu'),
--    (SELECT iif((SELECT value FROM meta WHERE key = 'sampled_by') = 'cpu-clock', 'this machine shows no hardware counters',
--    'not recorded: record --pmu does it') WHERE NOT EXISTS (SELECT 1 FROM metric WHERE name GLOB 'pmu.*')))
SELECT sum(c.cycles) AS cycles, sum(c.instructions) AS instructions,
	sum(c.instructions) * 1.0 / nullif(sum(c.cycles), 0) AS ipc,
	sum(c.cache_misses) * 1000.0 / nullif(sum(c.instructions), 0) AS cache_misses,
	sum(c.branch_misses) * 1000.0 / nullif(sum(c.instructions), 0) AS branch_misses,
	100.0 * sum(c.stalled) / nullif(sum(c.cycles), 0) AS stalled_percent, t.process_comm AS process, t.pid
FROM counter c JOIN thread t USING (task) WHERE NOT t.own
GROUP BY t.process ORDER BY coalesce(sum(c.cycles), sum(c.instructions), sum(c.cache_misses), sum(c.branch_misses)) DESC;
