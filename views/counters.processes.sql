-- SPDX-License-Identifier: BSD-2-Clause
-- title: Hardware counters by process (record --pmu): instructions a cycle, misses per 1,000 instructions, stalled cycles
WITH counter AS MATERIALIZED (
	SELECT t.process, sum(iif(m.name = 'pmu.cycles', s.value, NULL)) AS cycles,
		sum(iif(m.name = 'pmu.instructions', s.value, NULL)) AS instructions,
		sum(iif(m.name = 'pmu.cache_misses', s.value, NULL)) AS cache, sum(iif(m.name = 'pmu.branch_misses', s.value, NULL)) AS branch,
		sum(iif(m.name = 'pmu.stalled', s.value, NULL)) AS stalled
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE m.name IN ('pmu.cycles', 'pmu.instructions', 'pmu.cache_misses', 'pmu.branch_misses', 'pmu.stalled') AND NOT t.own GROUP BY t.process)
SELECT c.cycles, c.instructions, c.instructions * 1.0 / nullif(c.cycles, 0) AS ipc,
	c.cache * 1000.0 / nullif(c.instructions, 0) AS cache_misses, c.branch * 1000.0 / nullif(c.instructions, 0) AS branch_misses,
	100.0 * c.stalled / nullif(c.cycles, 0) AS stalled_percent, p.comm AS process, p.pid
FROM counter c JOIN process p ON p.id = c.process ORDER BY coalesce(c.cycles, c.instructions, c.cache, c.branch) DESC;
