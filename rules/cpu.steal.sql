-- SPDX-License-Identifier: BSD-2-Clause
-- title: The hypervisor takes the CPU away
-- summary: {what}
-- explain: Asks the kernel how long the hypervisor ran something else while this machine's CPUs had work. Nothing in the
--    machine can change that: it has too little CPU guaranteed, or its host is overcommitted.
-- threshold share = 0.1: of the time that CPUs were busy or stolen; hosts take a few percent now and then
-- threshold harm = 0.25: of that time; from there on it is worth a warning, below it is a neighbour that works now and then
-- threshold much = 0.25: of all CPUs' time, for a warning: a machine that is mostly idle loses as much as half of the little that it
--    wants when it is woken on a shared host, and hardly feels it
-- threshold cpu = 0.05: CPUs stolen in all; below that it is a few percent of little
-- threshold still_ms = 100: in which no CPU ran, at a time; less comes from a busy host now and then
-- threshold still = 0.1: of the period, in all, for a warning
-- action: Ask for a machine with guaranteed CPUs, for another host, or see whether its CPU credits are used up (burstable instances)
-- action: Inside the machine only less work helps: see who uses the CPUs with perfscope report
-- runbook: noisy-neighbour
WITH share AS MATERIALIZED (SELECT cpu, steal / 100 AS steal, busy / 100 AS busy FROM cpu_share),
machine AS MATERIALIZED (
	SELECT sum(steal) AS steal, sum(steal) / sum(busy) AS share, count(*) AS cpus FROM share HAVING sum(busy) > 0),
worst AS MATERIALIZED (SELECT cpu, steal FROM share ORDER BY steal DESC LIMIT 1),
stood AS MATERIALIZED (
	SELECT count(*) AS count, ifnull(sum(e.value), 0) AS ns, ifnull(max(e.value), 0) AS longest, (SELECT ns FROM period) AS period
	FROM event e WHERE e.kind = 'pause.host' AND e.value >= coalesce(:still_ms, 100) * 1e6),
judged AS MATERIALIZED (
	SELECT m.*, m.share >= coalesce(:share, 0.1) AND m.steal >= coalesce(:cpu, 0.05) AS stolen,
		m.share >= coalesce(:harm, 0.25) AND m.steal >= coalesce(:much, 0.25) * m.cpus AS harms FROM machine m),
victim AS MATERIALIZED (
	SELECT * FROM process_state WHERE NOT own AND NOT kernel AND running > 0 ORDER BY running DESC LIMIT 5)
SELECT iif(m.stolen AND m.harms OR s.ns >= coalesce(:still, 0.1) * s.period, 'waited', 'none') AS urgency,
	max(iif(m.stolen, m.share, 0), min(1, s.ns * 1.0 / s.period)) AS impact,
	iif(m.stolen, printf('the hypervisor took %.0f %% of the CPU time that this machine wanted, most from CPU %s (%.0f %%)',
		100 * m.share, w.cpu, 100 * w.steal), '') || iif(m.stolen AND s.count, '; ', '') ||
	iif(s.count, printf('the whole machine stood still for %.0f ms, the longest time for %.0f ms', s.ns / 1e6, s.longest / 1e6), '') AS what,
	'hypervisor' AS resource_kind, 'CPU time of ' || m.cpus || ' CPUs' AS resource_name,
	(SELECT json_group_array(json_object('role', 'victim', 'pid', pid, 'tid', 0, 'comm', comm, 'cgroup', cgroup)) FROM victim) AS affected,
	json_array(
		json_object('metric', 'stolen of the time that CPUs wanted', 'value', 100 * m.share, 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.1)),
		json_object('metric', 'stolen in all', 'value', 100 * m.steal, 'unit', '% of a CPU', 'threshold', 100 * coalesce(:cpu, 0.05)),
		json_object('metric', 'stolen from CPU ' || w.cpu, 'value', 100 * w.steal, 'unit', '%'),
		json_object('metric', 'times that no CPU ran', 'value', s.count, 'unit', 'count'),
		json_object('metric', 'no CPU ran, in all', 'value', s.ns / 1e6, 'unit', 'ms', 'threshold',
			coalesce(:still, 0.1) * s.period / 1e6)) AS evidence,
	json_array() AS stacks
FROM judged m, worst w, stood s WHERE m.stolen OR s.count;
