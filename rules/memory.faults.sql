-- SPDX-License-Identifier: BSD-2-Clause
-- title: Page-fault handling takes a large share of a process's time
-- summary: page faults take {share} % of {comm}'s CPU, which is {cpu} % of one
-- explain: Looks for CPU samples of a busy process below the kernel's entry for page faults. Memory that is touched for
--    the first time, or was given back and is touched again, costs one for each page. It is worth a warning when threads
--    of other processes wait for this one, or when it does little else with all the CPU that it can get; else it is only mentioned.
-- threshold share = 0.4: of the process's samples; starting programs and compilers stay below
-- threshold dear = 0.2: of the samples, where faults are frequent: with a host that keeps the page tables much of each looks like the program's own time
-- threshold frequent = 30000: faults for each second of the process's CPU time
-- threshold each_ns = 2000: of the kernel's part of one; without such a host it is below
-- threshold cpu = 0.3: CPUs that the process uses; below that it changes little
-- threshold samples = 50: of the process; fewer say nothing about shares
-- threshold alone = 0.6: of the samples of a process that nobody waits for; programs that build up their data stay far below
-- threshold wants = 0.8: CPUs that such a process uses or wants; less is not worth the change
-- threshold client = 0.3: of the period that another process's thread waits for it
-- threshold rate = 2: wake-ups a second of that thread; what waits for the end of a job is woken once
-- action: Keep and use memory again instead of giving it back (a pool, mallopt M_TRIM_THRESHOLD and M_MMAP_THRESHOLD), or use huge pages
-- action: See where memory is touched: perfscope flamegraph -p {pid}
-- runbook: high-cpu
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
below(id, first) AS (
	SELECT s.id, s.parent FROM frame_name n CROSS JOIN stack s USING (frame)
	WHERE n.kind = 'kernel' AND n.name IN ('asm_exc_page_fault', 'exc_page_fault', 'do_page_fault', 'do_mem_abort')
	UNION
	SELECT s.id, b.first FROM below b JOIN stack s ON s.parent = b.id),
busy AS MATERIALIZED (
	SELECT p.* FROM process_state p, span
	WHERE NOT p.own AND NOT p.kernel AND p.running >= coalesce(:cpu, 0.3) * span.ns),
sampled AS MATERIALIZED (
	SELECT t.process, c.stack, sum(c.ns) AS ns, sum(c.count) AS count FROM cpu_total c JOIN task t ON t.id = c.task
	WHERE t.process IN (SELECT process FROM busy) GROUP BY t.process, c.stack),
faulted AS MATERIALIZED (
	SELECT t.process, sum(s.value) AS faults FROM sample_total s JOIN task t ON t.id = s.task
	WHERE s.metric = (SELECT id FROM metric WHERE name = 'fault.minor') AND t.process IN (SELECT process FROM busy)
	GROUP BY t.process),
found AS MATERIALIZED (
	SELECT *, iif(rate >= coalesce(:frequent, 30000) AND share * 1e9 >= coalesce(:each_ns, 2000) * rate, coalesce(:dear, 0.2),
		coalesce(:share, 0.4)) AS least
	FROM (SELECT process, sum(iif(stack IN (SELECT id FROM below), ns, 0)) * 1.0 / sum(ns) AS share, f.faults * 1e9 / b.running AS rate
		FROM sampled JOIN busy b USING (process) LEFT JOIN faulted f USING (process) GROUP BY process
		HAVING sum(count) >= coalesce(:samples, 50))
	WHERE share >= least),
client AS MATERIALIZED (
	SELECT t.process AS server, w.task, sum(w.ns) AS ns FROM waits_for w JOIN thread t ON t.task = w.other_task
	JOIN thread v ON v.task = w.task, span
	WHERE t.process IN (SELECT process FROM found) AND v.process <> t.process AND NOT v.own AND NOT v.kernel
	GROUP BY t.process, w.task HAVING sum(w.ns) >= coalesce(:client, 0.3) * span.ns
		AND sum(w.count) * 1e9 >= coalesce(:rate, 2) * span.ns)
SELECT iif(f.process IN (SELECT server FROM client) OR (f.share >= coalesce(:alone, 0.6)
		AND b.running + b.runnable >= coalesce(:wants, 0.8) * span.ns), 'waited', 'none') AS urgency, min(1, f.share) AS impact, b.comm, b.pid,
	printf('%.0f', 100 * f.share) AS share, printf('%.0f', 100.0 * b.running / span.ns) AS cpu,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', b.pid, 'tid', 0, 'comm', b.comm, 'cgroup', b.cgroup) AS x
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM client c JOIN thread t USING (task) WHERE c.server = f.process ORDER BY c.ns DESC LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'CPU time in page faults', 'value', 100 * f.share, 'unit', '%', 'threshold', 100 * f.least),
		json_object('metric', 'page faults for each second of its CPU time', 'value', coalesce(f.rate, 0), 'unit', '/s',
			'threshold', iif(f.rate >= coalesce(:frequent, 30000), coalesce(:frequent, 30000), NULL)),
		json_object('metric', 'CPU of ' || b.comm, 'value', 100.0 * b.running / span.ns, 'unit', '% of a CPU',
			'threshold', 100 * coalesce(:cpu, 0.3))) AS evidence,
	json_array(json_object('role', 'hot', 'metric', 'cpu.time', 'process', f.process, 'function', 'asm_exc_page_fault')) AS stacks
FROM found f JOIN busy b ON b.process = f.process, span ORDER BY f.share DESC LIMIT 5;
