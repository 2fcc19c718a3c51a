-- SPDX-License-Identifier: BSD-2-Clause
-- title: A process of several threads runs one at a time
-- summary: {threads} threads of {comm} take turns: together they use {cpu} % of one CPU, and wait {share} % of their time
-- kind: wait
-- explain: Looks for processes several of whose threads compute, use about one CPU together, and spend a large part
--    of their time waiting until another of these threads lets them go on, as under an interpreter's global lock; most do so on
--    futexes, others on a pipe or an eventfd that they hand on. Workers that others feed are not meant: who feeds them computes little. In Go, where threads come and go with
--    each call of the kernel, it must be goroutines that let others go on.
-- threshold running = 0.02: of the period, each of the threads on a CPU; less is no part of the work
-- threshold least = 0.75: CPUs that the threads use or want together; below that there is not enough work
-- threshold few = 0.1: of the period, each of the threads on a CPU, where they use less than that; many with less are a pool
-- threshold most = 1.1: CPUs that they use together; above that they run side by side
-- threshold always = 0.9: CPUs that threads of Java use together: there a pool's workers let each other go on, too
-- threshold want = 1.5: CPUs that they use or want together; above that it is CPUs that they lack, if none is idle
-- threshold idle = 0.5: CPUs; with that much left, threads queue where they were woken, not for want of a CPU
-- threshold one = 0.7: of their CPU time, used by one thread; above that it is that thread that the others wait for
-- threshold share = 0.3: of the time of these threads, waiting on futexes, or for a pipe or an eventfd that one of them writes to
-- threshold mutual = 0.5: of what ends a thread's waiting comes from threads that wait for their own turn; else one feeds it
-- threshold rate = 10: times a second that one of them lets another go on
-- threshold slice_rate = 1: the same where an interpreter's own lock is handed on, in CPython 200 and in Ruby 10 times a second at the least
-- threshold ready = 0.2: of the turns in Go, that a goroutine gives to another; the rest is the runtime, which lends its threads
-- action: Run the work in several processes rather than threads, or outside of the global lock (native code, a subinterpreter)
-- action: See what is computed: perfscope flamegraph -p {pid}; what is waited for: perfscope flamegraph --kind {kind} -p {pid}
-- runbook: slow-service
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
machine AS MATERIALIZED (
	SELECT ifnull(sum(l.value * (s.end_ns - s.start_ns)) / 100 / (SELECT ns FROM span), 0) AS idle
	FROM level l JOIN slice s ON s.id = l.slice WHERE l.metric = 'cpu.idle'),
let_on AS MATERIALIZED (
	SELECT a.id AS task, sum(w.ns) AS ns FROM woken_by w JOIN task a ON a.id = w.task JOIN task b ON b.id = w.other_task AND b.process = a.process
	GROUP BY a.id),
-- Most wait on futexes; of other waits what threads of their own process ended, by a pipe or an eventfd.
waiting AS MATERIALIZED (
	SELECT w.task, w.lock, max(w.lock, min(w.lock + w.ipc, ifnull(o.ns, 0))) AS ns FROM (
		SELECT task, sum(iif(cause = 'lock', ns, 0)) AS lock, sum(iif(cause = 'ipc', ns, 0)) AS ipc FROM thread_wait
		WHERE cause IN ('lock', 'ipc') GROUP BY task) w LEFT JOIN let_on o ON o.task = w.task),
busy AS MATERIALIZED (
	SELECT s.task, s.process, s.running, s.runnable, l.ns AS waited, l.lock, s.held_up,
		l.ns >= coalesce(:share, 0.3) * (s.running + s.runnable + s.held_up) AS in_turn
	FROM thread_state s JOIN waiting l ON l.task = s.task, span
	WHERE NOT s.own AND NOT s.kernel AND s.running >= coalesce(:running, 0.02) * span.ns),
turn AS MATERIALIZED (
	SELECT a.process, a.task, sum(w.count * b.in_turn) AS count FROM busy a JOIN woken_by w ON w.task = a.task
	JOIN busy b ON b.task = w.other_task AND b.process = a.process, span
	WHERE b.task <> a.task GROUP BY a.task
	HAVING sum(w.ns * b.in_turn) >= coalesce(:mutual, 0.5) * sum(w.ns)
		AND sum(w.count * b.in_turn) * 1e9 >= span.ns * iif(a.process IN (SELECT process FROM runtime WHERE name IN ('CPython', 'Ruby')),
		coalesce(:slice_rate, 1), coalesce(:rate, 10))),
ready(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame) WHERE n.kind = 'elf' AND n.name IN ('runtime.ready', 'runtime.goready')
	UNION
	SELECT s.id FROM ready r JOIN stack s ON s.parent = r.id),
lent AS MATERIALIZED (
	SELECT t.process FROM waker_total w JOIN task t ON t.id = w.task JOIN runtime r ON r.process = t.process AND r.name = 'Go' GROUP BY t.process
	HAVING sum(iif(w.other_stack IN (SELECT id FROM ready), w.ns, 0)) < coalesce(:ready, 0.2) * sum(w.ns)),
found AS MATERIALIZED (
	SELECT b.process, count(*) AS threads, sum(t.count) AS turns, (sum(b.running) + sum(b.runnable)) * 1.0 / span.ns AS wanted,
		sum(b.running) * 1.0 / span.ns AS cpu, sum(b.waited) * 1.0 / sum(b.running + b.runnable + b.held_up) AS share,
		iif(2 * sum(b.lock) >= sum(b.waited), 'lock', 'ipc') AS wait
	FROM busy b JOIN turn t ON t.task = b.task, span WHERE b.process NOT IN (SELECT process FROM lent) GROUP BY b.process
	HAVING count(*) > 1 AND wanted >= coalesce(:least, 0.75) AND cpu <= coalesce(:most, 1.1)
		AND (cpu >= coalesce(:least, 0.75) OR min(b.running) >= coalesce(:few, 0.1) * span.ns)
		AND (cpu >= coalesce(:always, 0.9) OR b.process NOT IN (SELECT process FROM runtime WHERE name = 'HotSpot'))
		AND (wanted <= coalesce(:want, 1.5) OR (SELECT idle FROM machine) >= coalesce(:idle, 0.5))
		AND share >= coalesce(:share, 0.3) AND max(b.running) <= coalesce(:one, 0.7) * sum(b.running))
SELECT 'waited' AS urgency, f.share AS impact, f.threads, p.comm, p.pid, printf('%.0f', 100 * f.cpu) AS cpu,
	printf('%.0f', 100 * f.share) AS share,
	iif(f.wait = 'lock', 'lock', 'offcpu') AS kind,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', p.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup) AS x
		FROM turn u JOIN thread t ON t.task = u.task WHERE u.process = f.process ORDER BY u.count DESC LIMIT 10)) AS affected,
	json_array(
		json_object('metric', 'threads waiting for their turn', 'value', 100 * f.share, 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.3)),
		json_object('metric', 'CPU of these threads together', 'value', 100 * f.cpu, 'unit', '% of a CPU',
			'threshold', 100 * coalesce(:most, 1.1)),
		json_object('metric', 'they use or want', 'value', 100 * f.wanted, 'unit', '% of a CPU',
			'threshold', 100 * coalesce(:want, 1.5)),
		json_object('metric', 'turns handed over', 'value', f.turns * 1e9 / span.ns, 'unit', '/s',
			'threshold', coalesce(:rate, 10))) AS evidence,
	json_array(json_object('role', 'holder', 'metric', 'cpu.time', 'process', f.process),
		json_object('role', 'waiter', 'metric', 'wait.' || f.wait, 'process', f.process)) AS stacks
FROM found f JOIN process p ON p.id = f.process, span ORDER BY f.share DESC LIMIT 5;
