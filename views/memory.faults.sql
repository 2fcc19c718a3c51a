-- SPDX-License-Identifier: BSD-2-Clause
-- title: Where page faults come from (perfscope flamegraph --kind fault)
-- major: the page's content had to be read first, for which the thread waited
WITH told AS (
	SELECT s.task, s.stack, sum(iif(m.name = 'fault.minor', s.value, 0)) AS minor, sum(iif(m.name = 'fault.major', s.value, 0)) AS major,
		sum(iif(m.name = 'wait.fault', s.value, 0)) AS ns
	FROM sample_total s JOIN metric m ON m.id = s.metric WHERE m.name IN ('fault.minor', 'fault.major', 'wait.fault')
	GROUP BY s.task, s.stack)
SELECT nullif(sum(f.ns), 0) AS waited_ns, sum(f.minor) AS minor, sum(f.major) AS major, t.process_comm AS process, min(t.pid) AS pid,
	nullif(count(DISTINCT t.process), 1) AS processes,
	ifnull(k.path, 'stack not readable') AS function
FROM told f JOIN thread t ON t.task = f.task LEFT JOIN stack_speaker k ON k.stack = f.stack
WHERE NOT t.own GROUP BY t.process_comm, k.path ORDER BY sum(f.ns) DESC, sum(f.major) DESC, sum(f.minor) DESC;
