-- SPDX-License-Identifier: BSD-2-Clause
-- title: One function, with its callees, takes most of a busy process's CPU
-- summary: {function} takes {share} % of {comm}'s CPU, which is {cpu} % of one{waiting}
-- explain: Looks at the stacks of each busy process for the function nearest to the leaves that still has most of the
--    samples below it, in the program's own code: libc and the kernel count for the function that called them. A function
--    that merely hands work out to several others is passed over. It is worth a warning when others wait most of their time for the
--    process and the process has no CPU time left to give.
-- threshold cpu = 0.3: CPUs that the process uses; below that a cheaper function changes little
-- threshold samples = 50: of the process; fewer say nothing about shares
-- threshold share = 0.5: of the process's samples in the function; most means more than half
-- threshold own = 0.4: of the process's samples in the function itself; above that it is no mere caller of others
-- threshold spared = 0.1: of the process's samples outside of the function; below that it is only where everything starts
-- threshold heir = 0.5: of the function's time, in one function that it calls; if there is none, and it does not compute itself, it
--    hands work out to several
-- threshold itself = 0.1: of the process's samples in the function itself; less is no computing
-- threshold busy = 0.7: of what the process could use; below that it has time to spare, and answers do not queue
-- threshold rate = 2: wake-ups a second of one waiting thread; what waits for the end of a job is woken once
-- threshold rate_within = 20: the same of a thread of the process itself; one that is woken now and then waits for work
-- threshold waited = 0.3: of the period that a thread waits for the process; below that it has other work to do
-- action: Look at what {function} does, and how often it is called: perfscope flamegraph -p {pid}
-- action: See its hot lines: perfscope annotate {function}
-- runbook: high-cpu
WITH RECURSIVE span AS MATERIALIZED (
	SELECT ns, (SELECT value FROM meta WHERE key = 'cpus') AS cpus FROM period),
waiter_of AS MATERIALIZED (
	SELECT t.process AS server, w.process = t.process AS within, b.task, sum(b.count) AS count, sum(b.ns) AS ns
	FROM waits_for b JOIN task t ON t.id = b.other_task JOIN task w ON w.id = b.task
	WHERE w.process <> t.process OR t.process NOT IN helped
	GROUP BY t.process, b.task),
waiter AS MATERIALIZED (
	SELECT w.server, v.*, w.ns AS waited, w.ns * 1.0 / span.ns AS share
	FROM waiter_of w JOIN thread_state v ON v.task = w.task, span
	WHERE NOT v.own AND NOT v.kernel AND w.count * 1e9 / span.ns >= iif(w.within, coalesce(:rate_within, 20), coalesce(:rate, 2))
		AND w.ns >= coalesce(:waited, 0.3) * span.ns),
served AS MATERIALIZED (
	SELECT server, count(*) AS threads, avg(share) AS share, sum(waited) AS waited, max(comm) AS comm FROM waiter GROUP BY server),
busy AS MATERIALIZED (
	SELECT p.* FROM process_state p, span
	WHERE NOT p.own AND NOT p.kernel AND p.running >= coalesce(:cpu, 0.3) * span.ns
	ORDER BY p.process IN (SELECT server FROM served) DESC, p.running DESC LIMIT 6),
sampled AS MATERIALIZED (
	SELECT t.process, c.stack, sum(c.value) AS ns, sum(c.count) AS samples
	FROM sample_total c JOIN metric m ON m.id = c.metric JOIN task t ON t.id = c.task
	WHERE m.name = 'cpu.time' AND t.process IN (SELECT process FROM busy) AND c.stack IS NOT NULL GROUP BY t.process, c.stack),
-- Of more than some thousand stacks, as many stand for all, drawn in proportion to their weight.
leaf AS MATERIALIZED (
	SELECT s.process, s.stack, max(s.ns, a.ns / 3000.0) AS ns
	FROM sampled s JOIN (SELECT process, sum(ns) AS ns, sum(samples) AS samples FROM sampled GROUP BY process) a USING (process)
	WHERE a.samples >= coalesce(:samples, 50)
		AND (s.stack * 2654435761 & 4294967295) / 4294967296.0 < s.ns * 3000.0 / a.ns),
total AS MATERIALIZED (
	SELECT process, sum(ns) AS ns FROM leaf GROUP BY process),
walk(process, leaf, frame, parent, up) AS (
	SELECT l.process, l.stack, s.frame, s.parent, 0 FROM leaf l JOIN stack s ON s.id = l.stack
	UNION ALL
	SELECT w.process, w.leaf, s.frame, s.parent, w.up + 1 FROM walk w JOIN stack s ON s.id = w.parent WHERE w.up < 512),
code AS MATERIALIZED (
	SELECT f.frame, f.name FROM frame_name f
	WHERE f.kind IN ('elf', 'jit', 'python') AND f.module NOT GLOB '*/libc.so*' AND f.module NOT GLOB '*/libc-*'
		AND f.module NOT GLOB '*/ld-linux*' AND f.module NOT GLOB '*/libm.so*' AND f.module NOT GLOB '*/libstdc++*'
		AND f.module NOT GLOB '*/libpthread*' AND f.name NOT IN ('_start', '__libc_start_main', '__libc_start_call_main')),
step AS MATERIALIZED (
	SELECT w.process, w.leaf, c.name, min(w.up) AS up FROM walk w JOIN code c USING (frame) GROUP BY w.process, w.leaf, c.name),
nearest AS MATERIALIZED (
	SELECT process, leaf, min(up) AS up FROM step GROUP BY process, leaf),
weight AS MATERIALIZED (
	SELECT s.process, s.name, sum(l.ns) * 1.0 / t.ns AS share, sum(iif(s.up = n.up, l.ns, 0)) * 1.0 / t.ns AS own,
		sum(s.up * l.ns) * 1.0 / sum(l.ns) AS up
	FROM step s JOIN nearest n ON n.process = s.process AND n.leaf = s.leaf
	JOIN leaf l ON l.process = s.process AND l.stack = s.leaf JOIN total t ON t.process = s.process
	GROUP BY s.process, s.name),
hot AS MATERIALIZED (
	SELECT * FROM (
		SELECT *, row_number() OVER (PARTITION BY process ORDER BY round(share, 2), up) AS place
		FROM weight WHERE share >= coalesce(:share, 0.5)) hottest
	WHERE place = 1 AND (own >= coalesce(:own, 0.4) OR (share <= 1 - coalesce(:spared, 0.1) AND (own >= coalesce(:itself, 0.1) OR EXISTS (SELECT 1 FROM weight c
		WHERE c.process = hottest.process AND c.up < hottest.up AND c.share >= coalesce(:heir, 0.5) * hottest.share))))),
supply AS MATERIALIZED (
	SELECT b.process, max(
			(SELECT max(t.running + t.runnable) * 1.0 / span.ns FROM thread_state t WHERE t.process = b.process),
			b.running * 1.0 / (span.ns * span.cpus),
			ifnull(min(1, (b.running + b.runnable) * 1.0 / s.waited) * s.share, 0)) AS used
	FROM busy b LEFT JOIN served s ON s.server = b.process, span)
SELECT iif(s.threads AND u.used >= coalesce(:busy, 0.7), 'waited', 'none') AS urgency,
	min(1, h.share) * iif(s.threads, s.share, 1) AS impact,
	h.name AS function, b.comm, b.pid, printf('%.0f', 100 * h.share) AS share,
	printf('%.0f', 100.0 * b.running / span.ns) AS cpu,
	CASE WHEN s.threads = 1 THEN '; ' || s.comm || ' waits for it'
		WHEN s.threads THEN printf('; %d threads wait for it', s.threads) ELSE '' END AS waiting,
	'function' AS resource_kind, h.name AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', b.pid, 'tid', 0, 'comm', b.comm, 'cgroup', b.cgroup) AS x
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', pid, 'tid', tid, 'comm', comm, 'cgroup', cgroup)
			FROM waiter w WHERE w.server = b.process AND w.process <> b.process ORDER BY waited DESC LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'share of ' || h.name || ' with its callees', 'value', 100 * h.share, 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.5)),
		json_object('metric', 'CPU of ' || b.comm, 'value', 100.0 * b.running / span.ns, 'unit', '% of a CPU',
			'threshold', 100 * coalesce(:cpu, 0.3)),
		json_object('metric', 'used of what it could', 'value', 100 * u.used, 'unit', '%', 'threshold', 100 * coalesce(:busy, 0.7)),
		json_object('metric', 'waiting of others for it', 'value', 100 * coalesce(s.share, 0), 'unit', '%',
			'threshold', 100 * coalesce(:waited, 0.3))) AS evidence,
	json_array(json_object('role', 'hot', 'metric', 'cpu.time', 'process', b.process, 'function', h.name)) AS stacks
FROM hot h JOIN busy b ON b.process = h.process JOIN supply u ON u.process = h.process
	LEFT JOIN served s ON s.server = h.process, span
ORDER BY urgency DESC, impact DESC LIMIT 5;
