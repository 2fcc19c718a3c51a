-- SPDX-License-Identifier: BSD-2-Clause
-- title: A process is stopped by a signal, a freezer or a tracer
-- summary: {comm}{others} was stopped for {ms} ms, {share} % of the time{by}
-- explain: Looks at exact times in which a process's threads were neither running nor waiting but stopped. It is worth a warning
--    when the process has work: it uses the CPU when it may run, or threads of other processes wait
--    for it, or what its clients send, or their connections, are left lying. One that lies still for all of the period, a job put aside in a shell for instance, is only mentioned. What a freezer
--    stops with one cgroup is one matter.
-- threshold share = 0.05: of the period; shorter stops are a debugger's or a snapshot's glance
-- threshold work = 0.02: of the time that it is not stopped, running or waiting for a CPU; below that it has nothing to do
-- threshold client = 0.1: of the period that another process's thread waits for it, or that data lies in its sockets
-- action: Find who stops it (SIGSTOP, a debugger) or holds its cgroup frozen: grep -E 'State|TracerPid' /proc/{pid}/status; cat /proc/{pid}/cgroup
-- action: If nobody wants it stopped: kill -CONT {pid}
-- runbook: gc-pauses
WITH span AS MATERIALIZED (SELECT ns FROM period),
stopped AS MATERIALIZED (
	SELECT s.process, s.pid, s.process_comm AS comm, s.cgroup, max(s.stopped) AS ns, sum(s.stopped > 0) AS threads,
		max(min(1, (s.running + s.runnable) * 1.0 / max(1, span.ns - s.stopped))) AS work
	FROM thread_state s, span WHERE NOT s.own AND NOT s.kernel GROUP BY s.process
	HAVING max(s.stopped) >= coalesce(:share, 0.05) * span.ns),
by_whom AS MATERIALIZED (
	SELECT process, detail, max(count) FROM (
		SELECT t.process, e.detail, count(*) AS count FROM event e JOIN task t ON t.id = e.task
		WHERE e.kind = 'process.stop' GROUP BY t.process, e.detail) GROUP BY process),
client AS MATERIALIZED (
	SELECT t.process AS server, w.task, sum(w.ns) AS ns FROM waits_for w JOIN thread t ON t.task = w.other_task
	JOIN thread v ON v.task = w.task, span
	WHERE t.process IN (SELECT process FROM stopped) AND v.process <> t.process AND NOT v.own AND NOT v.kernel
	GROUP BY t.process, w.task HAVING sum(w.ns) >= coalesce(:client, 0.1) * span.ns),
-- What has come and nobody takes: data of its connections, and connections at a port that it, or one of its name, has.
left_lying AS MATERIALIZED (
	SELECT p.comm FROM sample_total s JOIN metric m ON m.id = s.metric JOIN task t ON t.id = s.task JOIN process p ON p.id = t.process, span
	WHERE m.name = 'connection.standing' AND s.value >= coalesce(:client, 0.1) * span.ns
	UNION
	SELECT p.comm FROM sample_total s JOIN metric m ON m.id = s.metric JOIN task t ON t.id = s.task JOIN process p ON p.id = t.process
		JOIN resource r ON r.id = s.resource JOIN level l ON l.metric = 'port.queue' AND l.resource = r.name
	WHERE m.name = 'port.queue_limit'),
judged AS MATERIALIZED (
	SELECT s.*, b.detail, iif(b.detail GLOB 'frozen with*', b.detail, s.process) AS one,
		iif((s.ns < 0.98 * span.ns AND (s.work >= coalesce(:work, 0.02) OR s.process IN (SELECT server FROM client)))
			OR s.comm IN (SELECT comm FROM left_lying), 'waited', 'none') AS urgency
	FROM stopped s LEFT JOIN by_whom b ON b.process = s.process, span),
first AS MATERIALIZED (
	SELECT *, count(*) OVER (PARTITION BY one) - 1 AS more,
		row_number() OVER (PARTITION BY one ORDER BY urgency = 'waited' DESC, work DESC, ns DESC, pid) AS place FROM judged)
SELECT s.urgency, min(1, s.ns * 1.0 / span.ns) AS impact, s.comm, s.pid, printf('%.0f', s.ns / 1e6) AS ms,
	CASE s.more WHEN 0 THEN '' WHEN 1 THEN ' with another process' ELSE printf(' with %d other processes', s.more) END AS others,
	printf('%.0f', 100.0 * s.ns / span.ns) AS share, ifnull(': ' || s.detail, '') AS by,
	iif(s.detail IS NULL, NULL, 'stopped by') AS resource_kind, s.detail AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', f.pid, 'tid', 0, 'comm', f.comm, 'cgroup', f.cgroup) AS x
			FROM first f WHERE f.one = s.one ORDER BY f.place LIMIT 20)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM client c JOIN first f ON f.process = c.server AND f.one = s.one JOIN thread t USING (task)
			WHERE t.process NOT IN (SELECT process FROM first WHERE one = s.one) GROUP BY c.task ORDER BY sum(c.ns) DESC LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'stopped', 'value', 100.0 * s.ns / span.ns, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.05)),
		json_object('metric', 'stopped in all', 'value', s.ns / 1e6, 'unit', 'ms'),
		json_object('metric', 'threads stopped', 'value', s.threads, 'unit', 'threads'),
		json_object('metric', 'at work when not stopped', 'value', 100 * s.work, 'unit', '%',
			'threshold', 100 * coalesce(:work, 0.02))) AS evidence,
	json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', s.process)) AS stacks
FROM first s, span WHERE s.place = 1 ORDER BY s.urgency = 'waited' DESC, s.ns DESC LIMIT 10;
