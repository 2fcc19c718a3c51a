-- SPDX-License-Identifier: BSD-2-Clause
-- title: Switching between threads, not work, takes the time
-- summary: {comm} switches {rate} times a second{with}; {share} % of its CPU time goes into switching
-- explain: Looks at processes that switch very often for CPU samples in the scheduler: putting a thread to sleep, choosing the next,
--    waking another. What is done between two switches is then less than the switches cost. A service that
--    switches often for requests spends more on those than on switching.
-- threshold rate = 5000: switches a second of a process; fewer cost less than a few percent of a CPU
-- threshold share = 0.32: of its samples in switching; services that switch for each request stay at a quarter
-- threshold work = 1.6e-05: seconds of CPU time between two switches, which cost some microseconds each, in some guests ten; above that more is done than switching
-- threshold cpu = 0.2: CPUs that the process uses; less is no burden
-- threshold samples = 30: of the process; fewer say nothing about shares
-- threshold pair = 0.1: of a thread's switches that another one's wake-ups end, to be named as a pair
-- action: Hand over more at a time: batch messages, use a queue that is looked at when it fills, larger pipes and buffers
-- action: Let one thread do both halves, or wait a moment before sleeping when the answer is always near
-- action: See who wakes whom: perfscope flamegraph --kind wakeup -p {pid}
-- runbook: high-cpu
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
often AS MATERIALIZED (
	SELECT p.* FROM process_state p, span WHERE NOT p.own AND NOT p.kernel AND p.running >= coalesce(:cpu, 0.2) * span.ns
		AND p.switches * 1e9 >= coalesce(:rate, 5000) * span.ns AND p.running <= coalesce(:work, 1.6e-05) * 1e9 * p.switches),
below(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame)
	WHERE n.kind = 'kernel' AND (n.name IN ('schedule', '__schedule', 'try_to_wake_up', 'wake_up_q', 'default_wake_function',
		'autoremove_wake_function', 'do_sched_yield', 'schedule_idle') OR n.name GLOB '__wake_up*' OR n.name GLOB '*sys_sched_yield')
	UNION
	SELECT s.id FROM below b JOIN stack s ON s.parent = b.id),
-- Where a clock samples, what runs with interrupts off, as a wake-up does, shows where they come on again.
late AS MATERIALIZED (
	SELECT frame FROM frame_name WHERE kind = 'kernel' AND name IN ('_raw_spin_unlock_irqrestore', '_raw_spin_unlock_irq',
		'finish_task_switch', 'finish_task_switch.isra.0')),
sampled AS MATERIALIZED (
	SELECT t.process, c.stack, sum(c.value) AS ns, sum(c.count) AS count
	FROM sample_total c JOIN metric m ON m.id = c.metric JOIN task t ON t.id = c.task
	WHERE m.name = 'cpu.time' AND t.process IN (SELECT process FROM often) AND c.stack IS NOT NULL GROUP BY t.process, c.stack),
found AS MATERIALIZED (
	SELECT s.process, sum(iif(s.stack IN (SELECT id FROM below) OR k.frame IN (SELECT frame FROM late), s.ns, 0)) * 1.0 / sum(s.ns) AS share
	FROM sampled s JOIN stack k ON k.id = s.stack GROUP BY s.process
	HAVING share >= coalesce(:share, 0.32) AND sum(s.count) >= coalesce(:samples, 30)),
-- Who wakes its threads, of what process.
waker AS MATERIALIZED (
	SELECT t.process, w.task, w.other_task, w.count, o.comm, o.process AS other,
		row_number() OVER (PARTITION BY t.process ORDER BY w.count DESC) AS place
	FROM woken_by w JOIN task t ON t.id = w.task JOIN thread o ON o.task = w.other_task JOIN thread_state s ON s.task = w.task
	WHERE t.process IN (SELECT process FROM found) AND w.count >= coalesce(:pair, 0.1) * s.switches),
-- Two processes that wake each other are one finding: that of the one that switches more.
lead AS MATERIALIZED (
	SELECT f.* FROM found f JOIN process_state p USING (process)
	WHERE NOT EXISTS (SELECT 1 FROM waker w JOIN found g ON g.process = w.other JOIN process_state q ON q.process = g.process
		WHERE w.process = f.process AND w.other <> f.process
			AND (q.switches, q.process) > (p.switches, p.process)
			AND EXISTS (SELECT 1 FROM waker v WHERE v.process = w.other AND v.other = f.process)))
SELECT 'waited' AS urgency, min(1, l.share) AS impact, p.comm, p.pid, printf('%.0f', p.switches * 1e9 / span.ns) AS rate,
	printf('%.0f', 100 * l.share) AS share,
	CASE WHEN w.process IS NULL AND p.preempted >= 0.5 * p.switches THEN ', most of them given up by itself or taken from it'
		WHEN w.process IS NULL THEN ''
		WHEN w.other = l.process THEN ', its threads waking each other' ELSE ', to and fro with ' || w.comm END AS "with",
	iif(w.process, 'wake-ups', NULL) AS resource_kind,
	(SELECT a.comm || ' (' || a.tid || ') and ' || b.comm || ' (' || b.tid || ')' FROM task a, task b
		WHERE a.id = w.task AND b.id = w.other_task) AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', p.pid, 'tid', ifnull((SELECT tid FROM task WHERE id = w.task), 0),
			'comm', p.comm, 'cgroup', p.cgroup) AS x
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM waker v JOIN thread t ON t.task = v.other_task
			WHERE v.process = l.process AND NOT t.own AND NOT t.kernel ORDER BY v.count DESC LIMIT 9))) AS affected,
	json_array(
		json_object('metric', 'CPU time in switching', 'value', 100 * l.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.32)),
		json_object('metric', 'switches of ' || p.comm, 'value', p.switches * 1e9 / span.ns, 'unit', '/s',
			'threshold', coalesce(:rate, 5000)),
		json_object('metric', 'CPU time between two switches', 'value', p.running / 1e3 / p.switches, 'unit', 'us',
			'threshold', 1e6 * coalesce(:work, 1.6e-05)),
		json_object('metric', 'CPU of ' || p.comm, 'value', 100.0 * p.running / span.ns, 'unit', '% of a CPU')) AS evidence,
	json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', l.process),
		json_object('role', 'waker', 'metric', 'cpu.time', 'process', coalesce(w.other, l.process))) AS stacks
FROM lead l JOIN process_state p ON p.process = l.process LEFT JOIN waker w ON w.process = l.process AND w.place = 1, span
ORDER BY l.share * p.running DESC LIMIT 5;
