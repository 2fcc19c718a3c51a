-- SPDX-License-Identifier: BSD-2-Clause
-- title: A cgroup's CPU quota stops it
-- summary: {cgroup} was stopped by its quota of {quota} CPUs in {periods} % of the periods; {comm} lost {lost} % of its time
-- explain: Asks the cgroups' own counts: in how many of the quota's periods it was used up, and for how long the cgroup
--    stood still. A quota that is met now and then smooths a burst; one that is met all the time makes whatever runs
--    there wait, though CPUs may be idle.
-- threshold periods = 0.2: share of the periods; below that only bursts meet the quota
-- threshold stopped = 0.1: of the time, at one CPU or more; below that the quota costs little
-- threshold count = 5: periods; fewer are a moment
-- action: Raise the quota of {cgroup}: cpu.max (version 1: cpu.cfs_quota_us), in a container its CPU limit
-- action: Use fewer threads in it: they use up a period's quota together, and then all of them wait
-- action: See what {comm} does with its share: perfscope flamegraph -p {pid}
-- runbook: container-throttled
WITH span AS MATERIALIZED (SELECT ns, last FROM period),
sums AS MATERIALIZED (
	SELECT resource AS path, sum(iif(metric = 'cgroup.throttled', value, 0)) AS stopped,
		sum(iif(metric = 'cgroup.periods', value, 0)) AS periods,
		sum(iif(metric = 'cgroup.periods_throttled', value, 0)) AS throttled
	FROM level WHERE metric IN ('cgroup.throttled', 'cgroup.periods', 'cgroup.periods_throttled') GROUP BY resource),
quota AS MATERIALIZED (
	SELECT resource AS path, value AS cpus, max(slice) FROM level WHERE metric = 'cgroup.quota' GROUP BY resource),
member AS MATERIALIZED (
	SELECT s.path, p.*, p.runnable * 1.0 / nullif(p.running + p.runnable, 0) AS lost
	FROM sums s JOIN process_state p ON p.cgroup = s.path OR substr(p.cgroup, 1, length(s.path) + 1) = s.path || '/'
	WHERE s.throttled > 0 AND NOT p.own AND NOT p.kernel AND p.running > 0),
-- The one that uses most of the quota; what all members together lost.
worst AS MATERIALIZED (
	SELECT path, pid, comm, process, max(running), sum(runnable) * 1.0 / sum(running + runnable) AS lost FROM member GROUP BY path)
SELECT 'waited' AS urgency, w.lost AS impact, s.path AS cgroup, printf('%.2f', q.cpus) AS quota,
	printf('%.0f', 100.0 * s.throttled / s.periods) AS periods, w.comm, w.pid, printf('%.0f', 100 * w.lost) AS lost,
	'cgroup' AS resource_kind, s.path AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', pid, 'tid', 0, 'comm', comm, 'cgroup', cgroup) AS x
		FROM member WHERE path = s.path ORDER BY running DESC LIMIT 8)) AS affected,
	json_array(
		json_object('metric', 'periods in which the quota was used up', 'value', 100.0 * s.throttled / s.periods, 'unit', '%',
			'threshold', 100 * coalesce(:periods, 0.2)),
		json_object('metric', 'time stopped, added up over CPUs', 'value', s.stopped / 1e6, 'unit', 'ms'),
		json_object('metric', 'share of the time stopped', 'value', 100.0 * s.stopped / span.ns, 'unit', '% of a CPU',
			'threshold', 100 * coalesce(:stopped, 0.1)),
		json_object('metric', 'quota', 'value', ifnull(q.cpus, 0), 'unit', 'CPUs'),
		json_object('metric', 'time that its processes wanted to run and did not', 'value', 100 * w.lost, 'unit', '%')) AS evidence,
	json_array(json_object('role', 'culprit', 'metric', 'cpu.time', 'process', w.process)) AS stacks
FROM sums s JOIN worst w ON w.path = s.path LEFT JOIN quota q ON q.path = s.path, span
WHERE s.periods > 0 AND s.throttled >= coalesce(:count, 5) AND s.throttled >= coalesce(:periods, 0.2) * s.periods
	AND s.stopped >= coalesce(:stopped, 0.1) * span.ns;
