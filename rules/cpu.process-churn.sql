-- SPDX-License-Identifier: BSD-2-Clause
-- title: Many short-lived processes take the CPU
-- summary: {parent} starts {rate} processes of {comm} a second, each for {life} ms; together they take {cpu} % of the CPUs
-- explain: Asks for commands that one parent starts again and again, each time for next to nothing: then starting and
--    ending processes is most of what is paid for. What short-lived processes start counts for whoever started those, and workers
--    of one name and parent count as one. A build starts many processes, too, but they work.
-- threshold rate = 100: a second, of one command for one parent; builds and scripts stay below
-- threshold work = 0.01: seconds of CPU time each; those that work longer are worth their start
-- threshold dear_rate = 10: a second, where a start costs much, as on some virtual machines: then these take much of the CPUs
-- threshold dear_work = 0.05: seconds of CPU time each, likewise
-- threshold dear_cpu = 0.2: of all CPUs, likewise; a build's helpers take less, beside its compilers
-- threshold start = 0.6: of their CPU time, in exec, fork, exit, page faults and the dynamic linker: they do little else
-- threshold cpu = 0.1: of all CPUs, the processes and their parent; less is no burden
-- threshold count = 100: in all, of one parent; fewer are a moment
-- threshold soon = 1: seconds; a process that lived for less is one of those that come and go, also by itself
-- threshold few = 3: short-lived processes of a name and parent; the next of that name is one of them, though it has not ended yet
-- action: Let {parent} do what {comm} does by itself, or start it once and keep it (a pool, a server, one call with many arguments)
-- action: See what is paid for: perfscope flamegraph -p {pid}
-- runbook: high-cpu
WITH RECURSIVE span AS MATERIALIZED (
	SELECT ns, start_ns, end_ns, (SELECT value FROM meta WHERE key = 'cpus') AS cpus FROM period),
short AS MATERIALIZED (
	SELECT p.id, p.pid, p.ppid, p.comm, p.start_ns, p.end_ns, ifnull(s.running, 0) AS running
	FROM process p LEFT JOIN process_time s ON s.process = p.id, span
	WHERE p.start_ns > 0 AND p.end_ns BETWEEN span.start_ns AND span.end_ns AND NOT p.flags),
family AS MATERIALIZED ( -- of one name and parent
	SELECT ppid, comm, count(*) AS count, sum(end_ns - start_ns) AS life, sum(running) AS running, max(id) AS example
	FROM short GROUP BY ppid, comm),
common AS MATERIALIZED (
	SELECT f.comm FROM family f, span GROUP BY f.comm
	HAVING sum(f.count) * 1e9 / span.ns >= min(coalesce(:rate, 100), coalesce(:dear_rate, 10))),
-- Commands of which hardly more is seen than how they start and end: exec, exit, fork, faults for pages that are new, the dynamic linker.
life_frame AS MATERIALIZED (
	SELECT n.frame FROM frame_name n WHERE n.kind = 'kernel' AND (n.name GLOB '*_sys_execve*' OR n.name GLOB '*do_group_exit' OR n.name = 'do_exit'
		OR n.name GLOB '*_sys_clone*' OR n.name GLOB '*_sys_*fork' OR n.name = 'kernel_clone' OR n.name GLOB 'ret_from_fork*'
		OR n.name GLOB '*exc_page_fault' OR n.name GLOB '*do_user_addr_fault' OR n.name IN ('el0_da', 'el0_ia', 'do_page_fault'))
		AND EXISTS (SELECT 1 FROM common)
	UNION
	SELECT f.id FROM frame f JOIN module o ON o.id = f.module
	WHERE (o.path GLOB '*/ld-*.so*' OR o.path GLOB '*/ld.so*') AND EXISTS (SELECT 1 FROM common)),
life(id) AS (
	SELECT s.id FROM life_frame CROSS JOIN stack s USING (frame)
	UNION
	SELECT s.id FROM life l JOIN stack s ON s.parent = l.id),
started_only AS MATERIALIZED (
	SELECT s.comm, sum(iif(c.stack IN (SELECT id FROM life), c.value, 0)) * 1.0 / sum(c.value) AS share
	FROM short s JOIN task t ON t.process = s.id JOIN sample_total c ON c.task = t.id JOIN metric m ON m.id = c.metric
	WHERE m.name = 'cpu.time' AND c.stack IS NOT NULL AND s.comm IN (SELECT comm FROM common) GROUP BY s.comm
	HAVING share >= coalesce(:start, 0.6)),
maker AS MATERIALIZED (SELECT DISTINCT ppid AS pid FROM process WHERE EXISTS (SELECT 1 FROM common)),
-- Parents that were over soon or were several, and what has yet to end as others of its name and parent have.
passing AS MATERIALIZED (
	SELECT id, pid, ppid, start_ns, end_ns FROM short WHERE pid IN (SELECT pid FROM maker) AND (end_ns - start_ns < coalesce(:soon, 1) * 1e9
		OR (+ppid, +comm) IN (SELECT ppid, comm FROM family WHERE count >= coalesce(:few, 3)))
	UNION ALL
	SELECT p.id, p.pid, p.ppid, p.start_ns, ifnull(p.end_ns, 1 << 62) FROM process p, span
	WHERE +p.pid IN (SELECT pid FROM maker) AND p.start_ns > 0 AND (p.end_ns IS NULL OR p.end_ns > span.end_ns) AND NOT p.flags
		AND (+p.ppid, +p.comm) IN (SELECT ppid, comm FROM family WHERE count >= coalesce(:few, 3))),
begun AS MATERIALIZED (
	SELECT id, start_ns, ppid, comm, end_ns - start_ns AS life, running FROM short
	WHERE ppid IN (SELECT pid FROM passing) AND comm IN (SELECT comm FROM common)),
-- The others were started by who stays.
direct AS MATERIALIZED (
	SELECT * FROM family WHERE comm IN (SELECT comm FROM common) AND ppid NOT IN (SELECT pid FROM passing)),
-- Who started it, and who started that, as long as those are short-lived, too. (A recursion would look through all for each.)
up1 AS MATERIALIZED (
	SELECT u.id, q.start_ns, q.ppid, u.comm, u.life, u.running FROM begun u
	JOIN passing q ON q.pid = u.ppid AND q.start_ns <= u.start_ns AND q.end_ns >= u.start_ns),
up2 AS MATERIALIZED (
	SELECT u.id, q.start_ns, q.ppid, u.comm, u.life, u.running FROM up1 u
	JOIN passing q ON q.pid = u.ppid AND q.start_ns <= u.start_ns AND q.end_ns >= u.start_ns),
up3 AS MATERIALIZED (
	SELECT u.id, q.start_ns, q.ppid, u.comm, u.life, u.running FROM up2 u
	JOIN passing q ON q.pid = u.ppid AND q.start_ns <= u.start_ns AND q.end_ns >= u.start_ns),
up4 AS MATERIALIZED (
	SELECT u.id, q.start_ns, q.ppid, u.comm, u.life, u.running FROM up3 u
	JOIN passing q ON q.pid = u.ppid AND q.start_ns <= u.start_ns AND q.end_ns >= u.start_ns),
up AS MATERIALIZED (
	SELECT *, 0 AS depth FROM begun UNION ALL SELECT *, 1 FROM up1 UNION ALL SELECT *, 2 FROM up2 UNION ALL SELECT *, 3 FROM up3
	UNION ALL SELECT *, 4 FROM up4),
parent AS MATERIALIZED (
	SELECT *, min(process) OVER (PARTITION BY comm, ppid, cgroup) AS first, sum(running) OVER (PARTITION BY comm, ppid, cgroup) AS all_running FROM (
		SELECT s.process, s.pid, s.comm, s.cgroup, p.ppid, s.running FROM process_state s JOIN process p ON p.id = s.process
		WHERE NOT s.own AND s.pid IN (SELECT ppid FROM up UNION SELECT ppid FROM direct) AND s.process NOT IN (SELECT id FROM passing))),
started AS MATERIALIZED (SELECT u.*, p.first, max(u.depth) FROM up u JOIN parent p ON p.pid = u.ppid GROUP BY u.id),
brief AS MATERIALIZED (
	SELECT first, comm, sum(count) AS count, sum(life) AS life, sum(running) AS running, max(example) AS example FROM (
		SELECT first, comm, 1 AS count, life, running, id AS example FROM started
		UNION ALL
		SELECT (SELECT min(p.first) FROM parent p WHERE p.pid = d.ppid), comm, count, life, running, example FROM direct d)
	WHERE first IS NOT NULL GROUP BY first, comm),
-- Cheap to start, or dear and nothing else to be seen in them.
fit AS MATERIALIZED (
	SELECT b.*, b.count * 1e9 / span.ns AS rate, b.running / 1e9 / b.count AS work, b.comm IN (SELECT comm FROM started_only) AS started_only
	FROM brief b, span),
kind AS MATERIALIZED (
	SELECT *, rate >= coalesce(:rate, 100) AND work <= coalesce(:work, 0.01) AS cheap FROM fit
	WHERE cheap OR rate >= coalesce(:dear_rate, 10) AND work <= coalesce(:dear_work, 0.05) AND started_only),
-- All such commands of one parent are one matter, the most frequent first.
often AS MATERIALIZED (
	SELECT first, group_concat(iif(place <= 3, comm, NULL), ', ') || iif(count(*) > 3, printf(' and %d more', count(*) - 3), '') AS comm,
		sum(count) AS count, sum(life) AS life, sum(running) AS running, max(example) AS example, max(cheap) AS cheap
	FROM (SELECT *, row_number() OVER (PARTITION BY first ORDER BY count DESC, comm) AS place FROM kind ORDER BY first, place)
	GROUP BY first HAVING sum(count) >= coalesce(:count, 100)),
churn AS MATERIALIZED (
	SELECT b.*, b.count * 1e9 / span.ns AS rate, parent.pid, parent.comm AS parent, parent.cgroup, parent.process,
		(b.running + parent.all_running) * 1.0 / (span.ns * span.cpus) AS cpu
	FROM often b JOIN parent ON parent.process = b.first, span)
SELECT 'waited' AS urgency, c.cpu AS impact, c.comm, c.parent, c.pid, printf('%.0f', c.rate) AS rate,
	printf('%.1f', c.life / 1e6 / c.count) AS life, printf('%.0f', 100 * c.cpu) AS cpu,
	'command' AS resource_kind, c.comm AS resource_name,
	(SELECT json_group_array(json_object('role', 'culprit', 'pid', p.pid, 'tid', 0, 'comm', p.comm, 'cgroup', p.cgroup))
		FROM (SELECT * FROM parent WHERE first = c.first ORDER BY running DESC LIMIT 10) p) AS affected,
	json_array(
		json_object('metric', 'processes of ' || c.comm, 'value', c.rate, 'unit', 'a second', 'threshold', iif(c.cheap, coalesce(:rate, 100), coalesce(:dear_rate, 10))),
		json_object('metric', 'CPU time of each', 'value', c.running / 1e6 / c.count, 'unit', 'ms',
			'threshold', 1000 * iif(c.cheap AND c.running / 1e9 / c.count <= coalesce(:work, 0.01), coalesce(:work, 0.01), coalesce(:dear_work, 0.05))),
		json_object('metric', 'life of each', 'value', c.life / 1e6 / c.count, 'unit', 'ms'),
		json_object('metric', 'CPU of them and their parent', 'value', 100 * c.cpu, 'unit', '% of all CPUs',
			'threshold', 100 * iif(c.cheap, coalesce(:cpu, 0.1), coalesce(:dear_cpu, 0.2)))) AS evidence,
	json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', c.process),
		json_object('role', 'culprit', 'metric', 'cpu.time', 'process', c.example)) AS stacks
FROM churn c WHERE c.cpu >= iif(c.cheap, coalesce(:cpu, 0.1), coalesce(:dear_cpu, 0.2)) ORDER BY c.cpu DESC;
