-- SPDX-License-Identifier: BSD-2-Clause
-- title: Many short-lived processes take the CPU
-- summary: {parent} starts {rate} processes of {comm} a second, each for {life} ms; together they take {cpu} % of the CPUs
-- explain: Asks for commands that one parent starts again and again, each time for next to nothing: then starting and
--    ending processes is most of what is paid for. A build starts many processes, too, but of many kinds, and they work.
-- threshold rate = 100: a second, of one command by one parent; builds and scripts stay below
-- threshold work = 0.01: seconds of CPU time each; those that work longer are worth their start
-- threshold cpu = 0.1: of all CPUs, the processes and their parent; less is no burden
-- threshold count = 100: in all; fewer are a moment
-- action: Let {parent} do what {comm} does by itself, or start it once and keep it (a pool, a server, one call with many arguments)
-- action: See what is paid for: perfscope flamegraph -p {pid}
-- runbook: high-cpu
WITH span AS MATERIALIZED (
	SELECT ns, start_ns, end_ns, (SELECT value FROM meta WHERE key = 'cpus') AS cpus FROM period),
brief AS MATERIALIZED (
	SELECT p.ppid, p.comm, count(*) AS count, sum(p.end_ns - p.start_ns) AS life, ifnull(sum(s.running), 0) AS running,
		max(p.id) AS example
	FROM process p LEFT JOIN process_time s ON s.process = p.id, span
	WHERE p.start_ns > 0 AND p.end_ns BETWEEN span.start_ns AND span.end_ns AND NOT p.flags
	GROUP BY p.ppid, p.comm),
-- All such commands of one parent are one matter, the most frequent first.
often AS MATERIALIZED (
	SELECT ppid, group_concat(comm, ', ') AS comm, sum(count) AS count, sum(life) AS life, sum(running) AS running,
		max(example) AS example
	FROM (SELECT b.* FROM brief b, span WHERE b.count >= coalesce(:count, 100) AND b.count * 1e9 / span.ns >= coalesce(:rate, 100)
			AND b.running <= coalesce(:work, 0.01) * 1e9 * b.count
		ORDER BY b.ppid, b.count DESC, b.comm)
	GROUP BY ppid),
churn AS MATERIALIZED (
	SELECT b.*, b.count * 1e9 / span.ns AS rate, parent.pid, parent.comm AS parent, parent.cgroup, parent.process,
		(b.running + parent.running) * 1.0 / (span.ns * span.cpus) AS cpu
	FROM often b JOIN process_state parent ON parent.pid = b.ppid, span WHERE NOT parent.own)
SELECT 'waited' AS urgency, c.cpu AS impact, c.comm, c.parent, c.pid, printf('%.0f', c.rate) AS rate,
	printf('%.1f', c.life / 1e6 / c.count) AS life, printf('%.0f', 100 * c.cpu) AS cpu,
	'command' AS resource_kind, c.comm AS resource_name,
	json_array(json_object('role', 'culprit', 'pid', c.pid, 'tid', 0, 'comm', c.parent, 'cgroup', c.cgroup)) AS affected,
	json_array(
		json_object('metric', 'processes of ' || c.comm, 'value', c.rate, 'unit', 'a second', 'threshold', coalesce(:rate, 100)),
		json_object('metric', 'CPU time of each', 'value', c.running / 1e6 / c.count, 'unit', 'ms',
			'threshold', 1000 * coalesce(:work, 0.01)),
		json_object('metric', 'life of each', 'value', c.life / 1e6 / c.count, 'unit', 'ms'),
		json_object('metric', 'CPU of them and their parent', 'value', 100 * c.cpu, 'unit', '% of all CPUs',
			'threshold', 100 * coalesce(:cpu, 0.1))) AS evidence,
	json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', c.process),
		json_object('role', 'culprit', 'metric', 'cpu.time', 'process', c.example)) AS stacks
FROM churn c WHERE c.cpu >= coalesce(:cpu, 0.1) ORDER BY c.cpu DESC;
