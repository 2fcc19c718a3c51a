-- SPDX-License-Identifier: BSD-2-Clause
-- title: Who is held up by a shortage of memory
-- machine: made room when the machine's memory was short; limit: at its cgroup's limit; compaction: for a large page; page in: waited for a page's content
WITH RECURSIVE swapping(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame) WHERE n.kind = 'kernel' AND n.name IN ('do_swap_page', 'swapin_readahead')
	UNION
	SELECT s.id FROM swapping i JOIN stack s ON s.parent = i.id),
part AS (
	SELECT s.task, m.name AS cause, s.value AS ns, s.count FROM sample_total s JOIN metric m ON m.id = s.metric WHERE m.name GLOB 'reclaim.*'
	UNION ALL
	SELECT task, 'fault', ns, 0 FROM thread_wait WHERE cause = 'fault'
	UNION ALL
	SELECT task, 'swap', ns, count FROM wait_stack WHERE cause = 'fault' AND stack IN swapping)
SELECT sum(iif(a.cause = 'swap', 0, a.ns)) AS held_up_ns, nullif(sum(iif(a.cause = 'reclaim.direct', a.ns, 0)), 0) AS machine_ns,
	nullif(sum(iif(a.cause = 'reclaim.cgroup', a.ns, 0)), 0) AS limit_ns,
	nullif(sum(iif(a.cause = 'reclaim.compaction', a.ns, 0)), 0) AS compaction_ns,
	nullif(sum(iif(a.cause = 'fault', a.ns, 0)), 0) AS page_in_ns, nullif(sum(iif(a.cause = 'swap', a.ns, 0)), 0) AS of_it_swap_ns,
	nullif(sum(iif(a.cause = 'swap', a.count, 0)), 0) AS swap_ins, nullif(sum(iif(a.cause GLOB 'reclaim.*', a.count, 0)), 0) AS times,
	t.pid, t.process_comm AS process, t.comm AS thread
FROM part a JOIN thread t ON t.task = a.task WHERE NOT t.own
GROUP BY a.task HAVING sum(a.ns) > 0 ORDER BY held_up_ns DESC;
