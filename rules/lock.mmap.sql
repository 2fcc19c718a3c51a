-- SPDX-License-Identifier: BSD-2-Clause
-- title: Threads of one process wait for the lock of its address space
-- summary: {threads} threads of {comm} lose {share} % of their time to the lock of its address space{writer}
-- explain: Page faults take the lock of an address space for reading; mmap, munmap, mprotect, madvise and brk take it for
--    writing and keep the faults of all threads out meanwhile. Sleeps on it are known one by one, with who ended
--    them; CPU time that goes by while a thread spins for it is told by its stack.
-- threshold share = 0.1: of the time that the waiting threads run or are held up; less is the ordinary price of sharing
-- threshold total = 0.1: of the period, summed over the threads; below that nobody notices
-- threshold rate = 2: waits a second; one long wait alone is no contention
-- action: Change the address space less often: keep memory instead of giving it back, map in large pieces, one arena a thread
-- action: Where threads share nothing else, use processes
-- action: See who waits: perfscope flamegraph --kind lock -p {pid}
-- runbook: lock-contention
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
lost AS MATERIALIZED (
	SELECT k.*, t.process FROM kernel_lock_wait k JOIN thread t ON t.task = k.task WHERE k.space AND NOT t.own AND NOT t.kernel),
waiter AS MATERIALIZED (
	SELECT l.task, l.process, min(l.ns, s.running + s.held_up) AS ns, l.spun, l.count, s.running + s.held_up AS active
	FROM (SELECT task, process, sum(ns) AS ns, sum(iif(spins, ns, 0)) AS spun, sum(count) AS count FROM lost GROUP BY task) l
	JOIN thread_state s ON s.task = l.task),
contended AS MATERIALIZED (
	SELECT w.process, count(*) AS threads, sum(w.ns) AS ns, sum(w.spun) AS spun, sum(w.count) AS count,
		sum(w.ns) * 1.0 / sum(w.active) AS share
	FROM waiter w, span GROUP BY w.process
	HAVING sum(w.ns) >= coalesce(:share, 0.1) * sum(w.active) AND sum(w.ns) >= coalesce(:total, 0.1) * span.ns
		AND sum(w.count) * 1e9 >= coalesce(:rate, 2) * span.ns),
wanted AS MATERIALIZED (
	SELECT process, call, sum(ns) AS ns FROM lost
	WHERE process IN (SELECT process FROM contended) AND call IS NOT NULL GROUP BY process, call),
released AS MATERIALIZED (
	SELECT t.process, w.other_task AS task, w.other_stack AS stack, sum(w.ns) AS ns
	FROM waker_total w JOIN task t ON t.id = w.task JOIN contended c ON c.process = t.process
	WHERE w.resource IN (SELECT resource FROM lost) AND w.other_task IS NOT NULL AND w.other_task <> w.task
	GROUP BY t.process, w.other_task, w.other_stack),
up(leaf, frame, parent, up) AS (
	SELECT s.id, s.frame, s.parent, 0 FROM stack s WHERE s.id IN (SELECT stack FROM released)
	UNION ALL
	SELECT u.leaf, s.frame, s.parent, u.up + 1 FROM up u JOIN stack s ON s.id = u.parent),
step AS MATERIALIZED (
	SELECT u.leaf, u.up, n.name FROM up u JOIN frame_name n USING (frame) WHERE n.kind = 'kernel'),
-- Who let go of it after writing, and in which call; a call that ends reading what it has changed has written before.
written AS MATERIALIZED (
	SELECT r.*, ifnull((SELECT CASE WHEN name = 'x64_sys_call' THEN 'a system call' WHEN name GLOB '*_sys_*' THEN substr(name, instr(name, '_sys_') + 5)
				WHEN name = 'vm_mmap_pgoff' THEN 'mmap' ELSE 'page fault' END
			FROM step s WHERE s.leaf = r.stack AND (name GLOB '*_sys_*' OR name IN ('vm_mmap_pgoff', 'asm_exc_page_fault'))
			ORDER BY name = 'x64_sys_call', up DESC LIMIT 1), 'page fault') AS call
	FROM released r),
holder AS MATERIALIZED (
	SELECT process, task, sum(ns) AS ns, sum(iif(call = 'page fault', 0, ns)) AS writing FROM written GROUP BY process, task),
-- Of those that only read nobody is to blame, unless nobody writes.
blamed AS MATERIALIZED (
	SELECT process, task, ns FROM (SELECT process, task, writing AS ns, sum(writing) OVER (PARTITION BY process) AS whole FROM holder)
	WHERE ns > 0.05 * whole
	UNION ALL
	SELECT l.process, l.task, sum(l.ns) FROM lost l
	WHERE l.process IN (SELECT process FROM contended) AND l.process NOT IN (SELECT process FROM holder WHERE writing > 0) AND ifnull(l.call, 'page fault') <> 'page fault'
	GROUP BY l.process, l.task),
call AS MATERIALIZED (
	SELECT process, call, ns, row_number() OVER (PARTITION BY process ORDER BY ns DESC) AS place FROM (
		SELECT process, call, sum(ns) AS ns FROM written WHERE call <> 'page fault' GROUP BY process, call)),
giver AS MATERIALIZED (
	SELECT process, stack, max(ns) AS ns FROM (
		SELECT process, stack, sum(ns) AS ns FROM written WHERE call <> 'page fault' AND stack IS NOT NULL GROUP BY process, stack)
	GROUP BY process)
SELECT 'waited' AS urgency, min(1, c.share) AS impact, c.threads, p.comm, p.pid, printf('%.0f', 100 * c.share) AS share,
	ifnull(', which ' || k.call || ' takes for writing', '') AS writer,
	'address space' AS resource_kind, p.comm || ' (' || p.pid || ')' AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', t.pid, 'tid', t.tid, 'comm', t.process_comm, 'cgroup', t.cgroup) AS x
			FROM blamed b JOIN thread t USING (task) WHERE b.process = c.process ORDER BY t.process = b.process DESC, b.ns DESC LIMIT 10)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.process_comm, 'cgroup', t.cgroup)
			FROM waiter w JOIN thread t USING (task)
			WHERE w.process = c.process AND w.task NOT IN (SELECT task FROM blamed b WHERE b.process = c.process)
			ORDER BY w.ns DESC LIMIT 10))) AS affected,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('metric', 'time lost to the lock', 'value', 100 * c.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.1)) AS x
		UNION ALL
		SELECT json_object('metric', 'threads waiting at a time', 'value', c.ns * 1.0 / span.ns, 'unit', 'threads',
			'threshold', coalesce(:total, 0.1))
		UNION ALL
		SELECT json_object('metric', 'waits for the lock', 'value', c.count * 1e9 / span.ns, 'unit', '/s', 'threshold', coalesce(:rate, 2))
		UNION ALL
		SELECT json_object('metric', 'CPUs that spin for it', 'value', c.spun * 1.0 / span.ns, 'unit', 'CPUs')
		UNION ALL
		SELECT json_object('metric', 'held for writing by ' || call, 'value', 100.0 * ns / (SELECT sum(ns) FROM written w WHERE w.process = c.process),
			'unit', '% of these waits')
		FROM (SELECT * FROM call ORDER BY place) a WHERE a.process = c.process AND a.place <= 3
		UNION ALL
		SELECT * FROM (SELECT json_object('metric', 'wanted by ' || call, 'value', 100.0 * ns / c.ns, 'unit', '%')
			FROM wanted w WHERE w.process = c.process ORDER BY ns DESC LIMIT 3))) AS evidence,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'holder', 'weight_ms', g.ns / 1e6, 'frames', (SELECT json_group_array(name) FROM (
			SELECT n.name FROM up u JOIN frame_name n USING (frame) WHERE u.leaf = g.stack ORDER BY u.up DESC))) AS x
		FROM giver g WHERE g.process = c.process
		UNION ALL
		SELECT json_object('role', 'waiter', 'metric', 'wait.kernel_lock', 'process', p.id))) AS stacks
FROM contended c JOIN process p ON p.id = c.process LEFT JOIN call k ON k.process = c.process AND k.place = 1, span
ORDER BY c.ns * c.share DESC LIMIT 5;
