-- SPDX-License-Identifier: BSD-2-Clause
-- title: The hypervisor takes the CPU away
-- summary: the hypervisor took {share} % of the CPU time that this machine wanted, most from CPU {cpu} ({worst} %)
-- explain: Asks the kernel how long the hypervisor ran something else while this machine's CPUs had work. Nothing in the
--    machine can change that: it has too little CPU guaranteed, or its host is overcommitted.
-- threshold share = 0.1: of the time that CPUs were busy or stolen; hosts take a few percent now and then
-- threshold harm = 0.25: of that time; from there on it is worth a warning, below it is a neighbour that works now and then
-- threshold much = 0.25: of all CPUs' time, for a warning: a machine that is mostly idle loses as much as half of the little that it
--    wants when it is woken on a shared host, and hardly feels it
-- threshold cpu = 0.05: CPUs stolen in all; below that it is a few percent of little
-- action: Ask for a machine with guaranteed CPUs, for another host, or see whether its CPU credits are used up (burstable instances)
-- action: Inside the machine only less work helps: see who uses the CPUs with perfscope report
-- runbook: noisy-neighbour
WITH share AS MATERIALIZED (SELECT cpu, steal / 100 AS steal, busy / 100 AS busy FROM cpu_share),
machine AS MATERIALIZED (
	SELECT sum(steal) AS steal, sum(steal) / sum(busy) AS share, count(*) AS cpus FROM share HAVING sum(busy) > 0),
worst AS MATERIALIZED (SELECT cpu, steal FROM share ORDER BY steal DESC LIMIT 1),
victim AS MATERIALIZED (
	SELECT * FROM process_state WHERE NOT own AND NOT kernel AND running > 0 ORDER BY running DESC LIMIT 5)
SELECT iif(m.share >= coalesce(:harm, 0.25) AND m.steal >= coalesce(:much, 0.25) * m.cpus, 'waited', 'none') AS urgency, m.share AS impact, printf('%.0f', 100 * m.share) AS share, w.cpu, printf('%.0f', 100 * w.steal) AS worst,
	'hypervisor' AS resource_kind, 'CPU time of ' || m.cpus || ' CPUs' AS resource_name,
	(SELECT json_group_array(json_object('role', 'victim', 'pid', pid, 'tid', 0, 'comm', comm, 'cgroup', cgroup)) FROM victim) AS affected,
	json_array(
		json_object('metric', 'stolen of the time that CPUs wanted', 'value', 100 * m.share, 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.1)),
		json_object('metric', 'stolen in all', 'value', 100 * m.steal, 'unit', '% of a CPU', 'threshold', 100 * coalesce(:cpu, 0.05)),
		json_object('metric', 'stolen from CPU ' || w.cpu, 'value', 100 * w.steal, 'unit', '%')) AS evidence,
	json_array() AS stacks
FROM machine m, worst w WHERE m.share >= coalesce(:share, 0.1) AND m.steal >= coalesce(:cpu, 0.05);
