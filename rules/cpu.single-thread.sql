-- SPDX-License-Identifier: BSD-2-Clause
-- title: One thread is at 100 % of one CPU and bounds its process, with CPUs idle elsewhere
-- summary: one thread of {comm} is at {cpu} % of one CPU, with {idle} % of a CPU idle elsewhere{waiting}
-- explain: Asks for a thread that nearly always runs or wants to, does most of its process's work, and leaves
--    CPUs idle that it cannot use. It is worth a warning when other threads spend their time waiting for it: those
--    that it wakes, again and again, out of long sleeps. A job that nobody waits for is only mentioned.
-- threshold busy = 0.85: share of the period on a CPU; a stage that computes and hands on its result stays a little below 1
-- threshold wants = 0.9: share of the period on a CPU or waiting for one; below that something else holds it up, too
-- threshold process_share = 0.6: of its process's CPU time; below that others do as much work as it does
-- threshold idle = 0.3: CPUs; below that there is no room for a second thread
-- threshold rate = 2: wake-ups a second of one waiting thread; what waits for the end of a job is woken once
-- threshold waited = 0.3: of the period that a thread waits for this one; below that it has other work to do
-- action: Spread the work of thread {thread} (tid {tid}) over more threads or processes; {idle} % of a CPU is idle
-- action: Make its hot code cheaper: perfscope flamegraph -p {pid}
-- runbook: high-cpu
WITH span AS MATERIALIZED (
	SELECT ns, (SELECT value FROM meta WHERE key = 'cpus') AS cpus FROM period),
machine AS MATERIALIZED (
	SELECT sum(l.value * (s.end_ns - s.start_ns)) / 100 / (SELECT ns FROM span) AS idle
	FROM level l JOIN slice s ON s.id = l.slice WHERE l.metric = 'cpu.idle'),
worker AS MATERIALIZED (
	SELECT t.*, p.running AS process_running, p.threads FROM thread_state t
	JOIN process_state p ON p.process = t.process, span
	WHERE NOT t.own AND NOT t.kernel AND t.running >= coalesce(:busy, 0.85) * span.ns
		AND t.running + t.runnable >= coalesce(:wants, 0.9) * span.ns
		AND t.running >= coalesce(:process_share, 0.6) * p.running),
waiter AS MATERIALIZED (
	SELECT w.task AS worker, v.*, b.ns AS waited, b.ns * 1.0 / span.ns AS share
	FROM worker w JOIN waits_for b ON b.other_task = w.task JOIN thread_state v ON v.task = b.task, span
	WHERE NOT v.own AND NOT v.kernel AND b.count * 1e9 / span.ns >= coalesce(:rate, 2)
		AND b.ns >= coalesce(:waited, 0.3) * span.ns
		AND (v.process <> w.process OR w.process NOT IN helped)),
harm AS MATERIALIZED (
	SELECT worker, count(*) AS threads, avg(share) AS share, max(comm) AS comm FROM waiter GROUP BY worker)
SELECT iif(h.threads, 'waited', 'none') AS urgency, coalesce(h.share, w.running * 1.0 / span.ns) AS impact,
	w.process_comm AS comm, w.comm AS thread, w.pid, w.tid,
	printf('%.0f', 100.0 * w.running / span.ns) AS cpu, printf('%.0f', 100 * m.idle) AS idle,
	CASE WHEN h.threads = 1 THEN ', and ' || h.comm || ' waits for it'
		WHEN h.threads THEN printf(', and %d threads wait for it', h.threads) ELSE '' END AS waiting,
	'cpu' AS resource_kind, 'one CPU of ' || span.cpus AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', w.pid, 'tid', w.tid, 'comm', w.comm, 'cgroup', w.cgroup) AS x
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', pid, 'tid', tid, 'comm', comm, 'cgroup', cgroup)
			FROM waiter WHERE worker = w.task ORDER BY waited DESC LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'CPU of thread ' || w.comm, 'value', 100.0 * w.running / span.ns, 'unit', '%',
			'threshold', 100 * coalesce(:busy, 0.85)),
		json_object('metric', 'its share of the process''s CPU', 'value', 100.0 * w.running / w.process_running, 'unit', '%',
			'threshold', 100 * coalesce(:process_share, 0.6)),
		json_object('metric', 'idle elsewhere', 'value', 100 * m.idle, 'unit', '% of a CPU',
			'threshold', 100 * coalesce(:idle, 0.3)),
		json_object('metric', 'waiting of others for it', 'value', 100 * coalesce(h.share, 0), 'unit', '%',
			'threshold', 100 * coalesce(:waited, 0.3))) AS evidence,
	json_array(json_object('role', 'hot', 'metric', 'cpu.time', 'task', w.task)) AS stacks
FROM worker w LEFT JOIN harm h ON h.worker = w.task, machine m, span
WHERE m.idle >= coalesce(:idle, 0.3) AND span.cpus > 1;
