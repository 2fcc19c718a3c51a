-- SPDX-License-Identifier: BSD-2-Clause
-- title: More threads want to run than there are CPUs, and they wait for it
-- summary: {delay}; {culprit} uses {culprit_cpu} % of a CPU
-- explain: Asks whether threads stand in the run queues for a substantial share of the time they want to work,
--    over most of the period, while the CPUs are busy. Delayed are threads that work in short bursts: they
--    wake up often, need the CPU little and need it at once, and threads whose requests wait for a CPU for long. Threads
--    that only compute and share the CPUs among themselves are not harmed by that as long as there are no more than two or three for
--    each CPU, or as long as they come and go: a parallel build is fine, however wide it is. So are the processes of one job, such as
--    a database's workers at one query. The process that eats most is delayed
--    only if others wait for it or ask it.
-- threshold busy = 0.9: below that a CPU is free often enough for a woken thread to find it
-- threshold most = 0.6: share of the time slices that must be busy; a short burst delays nobody for long
-- threshold some = 0.2: of the time slices, busy now and again: enough if somebody whom others ask loses much by it
-- threshold much = 0.1: of the period, spent waiting by one thread of such a process
-- threshold queue = 0.4: threads waiting per CPU, on average; where each job has a CPU of its own it stays below 0.3
-- threshold crowd = 1.8: threads waiting per CPU, on average, from which on computing threads harm each other, too: each gets
--    about a third of the time that it wants, and who starts so many believed in more CPUs than there are
-- threshold lasts = 0.8: of the period that a thread lives, to count for that, or as delayed; who comes and goes is a piece of a job
-- threshold wakeups = 5: a second; rarer wake-ups are no service that somebody waits for
-- threshold computes = 0.9: of the period that a thread wants the CPU; who wants it all of the time, and is asked by nobody, only computes
-- threshold lost = 0.05: of the period, spent waiting by one thread; below that nobody notices. Twice that for a
--    thread whose wake-ups no other thread waits for: it may be a daemon that only looks around
-- threshold request_ms = 5: a request's wait for a CPU, on average; below that no user notices
-- threshold request = 0.3: of the requests' time, waiting for a CPU
-- threshold requests = 2: a second, of one thread; fewer are no service
-- threshold eats = 0.2: CPUs that processes of one name use; who uses less is not the reason
-- threshold wait_share = 0.3: of the time that a thread wants to work, spent waiting; up to there it merely shares
-- action: Give {culprit} less: renice it (renice -n 10 -p {culprit_pid}), limit its threads or its cgroup's cpu.weight, or run it at another time
-- action: Give {victim} more: a higher cpu.weight, or CPUs of its own (cpuset)
-- action: See what {culprit} does: perfscope flamegraph -p {culprit_pid}
-- runbook: high-cpu
WITH RECURSIVE span AS MATERIALIZED (
	SELECT ns, (SELECT value FROM meta WHERE key = 'cpus') AS cpus FROM period),
idle_cpus AS MATERIALIZED (
	SELECT slice, sum(value) / 100 AS cpus FROM level WHERE metric IN ('cpu.idle', 'cpu.iowait') GROUP BY slice),
idle AS MATERIALIZED (
	SELECT s.id, s.end_ns - s.start_ns AS ns, ifnull(i.cpus, 0) / span.cpus AS share
	FROM slice s LEFT JOIN idle_cpus i ON i.slice = s.id, span),
machine AS MATERIALIZED (
	SELECT 1 - sum(share * ns) / sum(ns) AS busy,
		sum(iif(1 - share >= coalesce(:busy, 0.9), ns, 0)) * 1.0 / sum(ns) AS most
	FROM idle WHERE EXISTS (SELECT 1 FROM level WHERE metric IN ('cpu.user', 'cpu.system', 'cpu.idle'))),
lasting AS MATERIALIZED (
	SELECT t.id AS task FROM task t, period p
	WHERE min(ifnull(t.end_ns, p.end_ns), p.end_ns) - max(ifnull(t.start_ns, 0), p.start_ns) >= coalesce(:lasts, 0.8) * p.ns),
load AS MATERIALIZED (
	SELECT sum(runnable) * 1.0 / (SELECT ns * cpus FROM span) AS queue,
		sum(iif(task IN (SELECT task FROM lasting), runnable, 0)) * 1.0 / (SELECT ns * cpus FROM span) AS crowd,
		sum(runnable) * 1.0 / sum(running + runnable) AS lost
	FROM thread_state WHERE NOT own AND NOT kernel),
-- Where the CPUs are seldom busy, or nobody waits for them, nothing else is asked.
pressed AS MATERIALIZED (
	SELECT 1 FROM machine m, load l WHERE l.queue >= coalesce(:queue, 0.4)
		AND m.most >= min(coalesce(:most, 0.6), coalesce(:some, 0.2))),
served AS MATERIALIZED (
	SELECT w.other_task AS task FROM pressed CROSS JOIN woken_by w JOIN thread v ON v.task = w.task, span
	WHERE NOT v.own AND NOT v.kernel GROUP BY w.other_task
	HAVING sum(w.count) * 1e9 / span.ns >= coalesce(:wakeups, 5)),
-- Of each name the busiest six; cpu: of all processes of that name.
eater AS MATERIALIZED (
	SELECT p.*, e.cpu FROM (
		SELECT process, cpu, running FROM (
			SELECT t.process, t.running, row_number() OVER names AS place,
				sum(t.running) OVER (names ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) * 1.0 / span.ns AS cpu
			FROM pressed CROSS JOIN process_time t JOIN process p ON p.id = t.process, span WHERE NOT (p.flags & 3)
			WINDOW names AS (PARTITION BY p.comm ORDER BY t.running DESC))
		WHERE place <= 6 ORDER BY cpu DESC, running DESC LIMIT 16) e
	JOIN process_state p ON p.process = e.process ORDER BY e.cpu DESC, e.running DESC),
-- Who starts those that eat, one after another, waits for them.
ancestor(pid) AS (
	SELECT p.ppid FROM process p WHERE p.id IN (SELECT process FROM eater WHERE cpu >= coalesce(:eats, 0.2))
		AND p.id NOT IN (SELECT t.process FROM task t JOIN lasting ON lasting.task = t.id) AND p.ppid > 1
	UNION
	SELECT p.ppid FROM ancestor a JOIN process p ON p.pid = a.pid WHERE p.ppid > 1),
-- Who answers requests, of which much is waiting for a CPU, is delayed however long each of them computes.
slow AS MATERIALIZED (
	SELECT r.task FROM request r, span GROUP BY r.task
	HAVING sum(r.runqueue) >= coalesce(:request_ms, 5) * 1e6 * sum(r.count)
		AND sum(r.runqueue) >= coalesce(:request, 0.3) * sum(r.ns) AND sum(r.count) * 1e9 >= coalesce(:requests, 2) * span.ns),
most AS MATERIALIZED (SELECT process FROM eater ORDER BY cpu DESC, running DESC LIMIT 1),
delayed AS MATERIALIZED (
	SELECT s.*, s.runnable * 1.0 / (s.running + s.runnable) AS wait_share
	FROM pressed CROSS JOIN thread_state s, span
	WHERE NOT s.own AND NOT s.kernel AND s.task IN (SELECT task FROM lasting)
		AND (s.pid NOT IN (SELECT pid FROM ancestor) OR s.process IN (SELECT process FROM eater WHERE cpu >= coalesce(:eats, 0.2)))
		AND ((s.switches - s.preempted) * 1e9 / span.ns >= coalesce(:wakeups, 5) OR s.task IN (SELECT task FROM slow))
		AND s.runnable >= coalesce(:lost, 0.05) * span.ns * iif(s.task IN (SELECT task FROM served), 1, 2)
		AND s.runnable >= coalesce(:wait_share, 0.3) * (s.running + s.runnable)),
woke AS MATERIALIZED (
	SELECT o.process, v.process AS other, sum(w.count) AS count
	FROM pressed CROSS JOIN woken_by w JOIN thread v ON v.task = w.task JOIN task o ON o.id = w.other_task
	WHERE NOT v.own AND NOT v.kernel AND v.process <> o.process GROUP BY o.process, v.process),
wakes_often AS MATERIALIZED (
	SELECT process FROM woke, span GROUP BY process HAVING sum(count) * 1e9 / span.ns >= coalesce(:wakeups, 5)),
-- Whose work a process does: its parent's, with the same command but for a number ("postgres: parallel worker for PID 7" is one of
-- "postgres:"). Of those that are compared.
job AS MATERIALIZED (
	SELECT p.id AS process, iif(p.ppid > 1, p.ppid, NULL) AS ppid, p.comm, iif(substr(p.command, 1, instr(p.command, ' ') - 1) GLOB '*:',
		substr(p.command, 1, instr(p.command, ' ')), rtrim(p.command, '0123456789')) AS command
	FROM (SELECT process FROM wakes_often UNION SELECT other FROM wakes_often JOIN woke USING (process)
		UNION SELECT process FROM most UNION SELECT process FROM delayed) c JOIN process p ON p.id = c.process),
-- Whom processes of other jobs wait for, or ask.
asked AS MATERIALIZED (
	SELECT w.process FROM wakes_often JOIN woke w USING (process) JOIN job oj ON oj.process = w.process JOIN job vj ON vj.process = w.other, span
	WHERE NOT ifnull(vj.ppid = oj.ppid AND vj.comm = oj.comm AND vj.command IS oj.command, 0)
	GROUP BY w.process
	HAVING sum(w.count) * 1e9 / span.ns >= coalesce(:wakeups, 5)
	UNION
	SELECT t.process FROM request r JOIN task t ON t.id = r.task, span GROUP BY t.process
	HAVING sum(r.count) * 1e9 >= coalesce(:requests, 2) * span.ns),
-- With a runtime's helpers, which come and go with what it computes.
computing AS MATERIALIZED (
	SELECT s.task, s.process FROM pressed CROSS JOIN thread_state s, span WHERE s.running + s.runnable >= coalesce(:computes, 0.9) * span.ns),
-- A job whose own threads are in each other's way gets done as quickly as it can.
victim AS MATERIALIZED (
	SELECT d.* FROM delayed d JOIN job j ON j.process = d.process, (SELECT job.* FROM most JOIN job USING (process)) m
	WHERE d.process IN (SELECT process FROM asked)
		OR NOT (d.task IN (SELECT task FROM computing) OR d.process IN (SELECT process FROM computing JOIN helped USING (process))
			OR d.process = m.process OR ifnull(j.ppid = m.ppid AND j.comm = m.comm AND j.command IS m.command, 0))),
histogram_total AS MATERIALIZED (
	SELECT high_ns, sum(sum(count)) OVER (ORDER BY high_ns) AS below FROM latency_total
	WHERE metric = 'runqueue.latency' GROUP BY high_ns),
percentile AS MATERIALIZED (
	SELECT (SELECT min(high_ns) FROM histogram_total WHERE below >= 0.5 * total) AS p50,
		(SELECT min(high_ns) FROM histogram_total WHERE below >= 0.99 * total) AS p99
	FROM (SELECT max(below) AS total FROM histogram_total))
SELECT iif(v.tid OR l.crowd >= coalesce(:crowd, 1.8), 'waited', 'none') AS urgency,
	coalesce((SELECT sum(runnable) * 1.0 / sum(running + runnable) FROM victim), l.lost) AS impact,
	iif(v.tid, v.comm || printf(' waits %.0f %% of its time for a CPU', 100 * v.wait_share),
		printf('computing threads take turns, %.1f wait per CPU', l.queue)) AS delay,
	coalesce(v.comm, 'what must answer at once') AS victim,
	e.comm AS culprit, e.pid AS culprit_pid,
	printf('%.0f', 100 * e.cpu) AS culprit_cpu,
	'cpu' AS resource_kind, (SELECT cpus FROM span) || ' CPUs' AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', pid, 'tid', 0, 'comm', comm, 'cgroup', cgroup) AS x FROM eater
		WHERE cpu >= coalesce(:eats, 0.2) AND (process NOT IN (SELECT process FROM victim) OR process = e.process)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', pid, 'tid', tid, 'comm', comm, 'cgroup', cgroup)
			FROM victim ORDER BY runnable DESC LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'CPUs busy', 'value', 100 * m.busy, 'unit', '%', 'threshold', 100 * coalesce(:busy, 0.9)),
		json_object('metric', 'time in which they are', 'value', 100 * m.most, 'unit', '%',
			'threshold', 100 * iif(m.busy >= coalesce(:busy, 0.9), coalesce(:most, 0.6), coalesce(:some, 0.2))),
		json_object('metric', 'threads waiting for a CPU, per CPU', 'value', l.queue, 'unit', 'threads',
			'threshold', coalesce(:queue, 0.4)),
		json_object('metric', 'waiting of ' || coalesce(v.comm, 'all threads') || ' for a CPU',
			'value', 100 * coalesce(v.wait_share, l.lost), 'unit', '%',
			'threshold', 100 * coalesce(:wait_share, 0.3)),
		json_object('metric', 'run-queue wait p50', 'value', q.p50 / 1e6, 'unit', 'ms'),
		json_object('metric', 'run-queue wait p99', 'value', q.p99 / 1e6, 'unit', 'ms')) AS evidence,
	iif(v.tid, json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', e.process),
			json_object('role', 'victim', 'metric', 'cpu.time', 'task', v.task)),
		json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', e.process))) AS stacks
FROM machine m, span, load l, percentile q, (SELECT * FROM eater WHERE process IN (SELECT process FROM most)) e
	LEFT JOIN (SELECT * FROM victim ORDER BY process IN (SELECT process FROM asked) DESC, runnable DESC LIMIT 1) v
WHERE l.queue >= coalesce(:queue, 0.4) AND (m.busy >= coalesce(:busy, 0.9) AND m.most >= coalesce(:most, 0.6)
	OR m.most >= coalesce(:some, 0.2) AND v.runnable >= coalesce(:much, 0.1) * span.ns AND v.process IN (SELECT process FROM asked));
