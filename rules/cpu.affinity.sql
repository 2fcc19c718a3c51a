-- SPDX-License-Identifier: BSD-2-Clause
-- title: Threads are bound to crowded CPUs while others idle
-- summary: {threads} of {comm} may use CPU {mask} alone and wait{s} {share} % of {their} time for it, while {idle} % of a CPU idles elsewhere
-- explain: Asks which CPUs the threads that wait for one may use, by their own mask or their cpuset, how busy those are, and
--    how much of the others is idle. Threads that are bound and have CPU to spare are fine, as are those that wait
--    where every CPU is busy.
-- threshold busy = 0.9: of the CPUs that they may use; below that they have time to spare, and merely meet now and then
-- threshold idle = 0.5: CPUs, of those that they may not use; below that there is nowhere to go
-- threshold wait_share = 0.3: of the time that the threads want to work, spent waiting; up to there they merely share
-- threshold lost = 0.2: of the period, summed over the threads; below that nobody notices
-- action: Let the threads of {comm} use more CPUs: see taskset -cp {tid}, CPUAffinity= in its unit, cpuset.cpus of its cgroup, numactl and thread pinning in its own settings
-- action: If they must be bound, spread them: one busy thread a CPU
-- runbook: high-cpu
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
bound AS MATERIALIZED (
	SELECT v.resource, v.task, sum(v.value) AS waited FROM sample_total v JOIN metric m ON m.id = v.metric
	WHERE m.name = 'affinity.wait' GROUP BY v.resource, v.task),
-- "0-3,8" piece by piece, then each piece's CPUs.
piece(resource, first, last, rest) AS (
	SELECT r.id, 0, -1, r.name || ',' FROM resource r WHERE r.kind = 'cpus' AND r.id IN (SELECT resource FROM bound)
	UNION ALL
	SELECT resource, CAST(substr(rest, 1, instr(rest, ',') - 1) AS INTEGER),
		CAST(substr(rest, iif(instr(rest, '-') BETWEEN 1 AND instr(rest, ','), instr(rest, '-') + 1, 1)) AS INTEGER),
		substr(rest, instr(rest, ',') + 1)
	FROM piece WHERE rest <> ''),
cpu AS MATERIALIZED (SELECT CAST(cpu AS INTEGER) AS cpu, busy / 100 AS busy, 1 - busy / 100 AS idle FROM cpu_share),
place AS MATERIALIZED (
	SELECT r.id AS resource, r.name AS mask,
		avg(iif(p.resource, c.busy, NULL)) AS inside, sum(iif(p.resource, 0, c.idle)) AS outside
	FROM (SELECT DISTINCT resource FROM bound) b JOIN resource r ON r.id = b.resource JOIN cpu c
		LEFT JOIN piece p ON p.resource = r.id AND c.cpu BETWEEN p.first AND p.last
	GROUP BY r.id HAVING inside >= coalesce(:busy, 0.9) AND outside >= coalesce(:idle, 0.5)),
crowded AS MATERIALIZED (
	SELECT b.resource, s.*, b.waited, sum(b.waited) OVER (PARTITION BY b.resource, s.process) AS process_waited
	FROM bound b JOIN place USING (resource) JOIN thread_state s USING (task) WHERE NOT s.own AND NOT s.kernel),
found AS MATERIALIZED (
	SELECT resource, count(*) AS threads, sum(waited) AS waited, sum(waited) * 1.0 / sum(running + runnable) AS share
	FROM crowded, span GROUP BY resource
	HAVING sum(waited) >= coalesce(:wait_share, 0.3) * sum(running + runnable) AND sum(waited) >= coalesce(:lost, 0.2) * span.ns),
worst AS MATERIALIZED (
	SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY resource ORDER BY process_waited DESC, waited DESC) AS place,
		count(*) OVER (PARTITION BY resource, process_comm) AS named FROM crowded)
	WHERE place = 1)
SELECT 'waited' AS urgency, min(1, f.share) AS impact, w.process_comm AS comm, w.pid, w.tid, p.mask,
	iif(w.named = 1, 'one thread', w.named || ' threads') AS threads, iif(w.named = 1, 's', '') AS s, iif(w.named = 1, 'its', 'their') AS their,
	printf('%.0f', 100 * f.share) AS share, printf('%.0f', 100 * p.outside) AS idle,
	'cpus' AS resource_kind, 'CPU ' || p.mask || ' of ' || (SELECT count(*) FROM cpu) AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', pid, 'tid', tid, 'comm', comm, 'cgroup', cgroup) AS x
		FROM crowded c WHERE c.resource = f.resource ORDER BY process_waited DESC, waited DESC LIMIT 10)) AS affected,
	json_array(
		json_object('metric', 'waiting for a CPU of ' || f.threads || ' threads bound to CPU ' || p.mask, 'value', 100 * f.share,
			'unit', '%', 'threshold', 100 * coalesce(:wait_share, 0.3)),
		json_object('metric', 'of them waiting at a time', 'value', f.waited * 1.0 / span.ns, 'unit', 'threads',
			'threshold', coalesce(:lost, 0.2)),
		json_object('metric', 'CPU ' || p.mask || ' busy', 'value', 100 * p.inside, 'unit', '%', 'threshold', 100 * coalesce(:busy, 0.9)),
		json_object('metric', 'idle elsewhere', 'value', 100 * p.outside, 'unit', '% of a CPU',
			'threshold', 100 * coalesce(:idle, 0.5))) AS evidence,
	json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', w.process)) AS stacks
FROM found f JOIN place p USING (resource) JOIN worst w USING (resource), span ORDER BY f.waited DESC;
