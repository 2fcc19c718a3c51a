-- SPDX-License-Identifier: BSD-2-Clause
-- title: Tasks wait for a lock of the kernel
-- summary: {threads} threads of {comm} lose {share} % of their time to one lock of the kernel, wanted by {taker}{call}
-- explain: Looks at sleeps on the kernel's mutexes and semaphores, lock by lock, and at CPU time that goes by while a thread spins
--    for one, told by its stack. A lock is named by its variable where it has one, and by the function that
--    wants it. Who ended these sleeps is who had held the lock. An address space's own lock is lock.mmap.
-- threshold share = 0.1: of the time that the waiting threads run or are held up; less is the ordinary price of sharing
-- threshold total = 0.15: of the period, summed over the threads; below that nobody notices
-- threshold rate = 2: waits a second; one long wait alone is no contention
-- action: Let the threads of {comm} work on files, folders and descriptors of their own, or fewer of them at a time
-- action: See what is done meanwhile: perfscope flamegraph --kind lock -p {pid}
-- action: See who waits for whom at this moment: perfscope threads -p {pid}
-- runbook: lock-contention
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
lost AS MATERIALIZED (
	SELECT k.*, t.process, ifnull(k.resource, -t.process) AS lock FROM kernel_lock_wait k JOIN thread t ON t.task = k.task
	WHERE NOT k.space AND NOT t.own),
waiter AS MATERIALIZED (
	SELECT l.lock, l.task, l.process, s.kernel, min(l.ns, s.running + s.held_up) AS ns, l.spun, l.count,
		s.running + s.held_up AS active
	FROM (SELECT lock, task, process, sum(ns) AS ns, sum(iif(spins, ns, 0)) AS spun, sum(count) AS count FROM lost
		GROUP BY lock, task) l JOIN thread_state s ON s.task = l.task),
contended AS MATERIALIZED (
	SELECT w.lock, count(*) AS threads, sum(w.ns) AS ns, sum(w.spun) AS spun, sum(w.count) AS count,
		sum(w.ns) * 1.0 / sum(w.active) AS share
	FROM waiter w, span GROUP BY w.lock
	HAVING sum(w.ns) >= coalesce(:share, 0.1) * sum(w.active) AND sum(iif(w.kernel, 0, w.ns)) >= coalesce(:total, 0.15) * span.ns
		AND sum(w.count) * 1e9 >= coalesce(:rate, 2) * span.ns),
-- The functions and calls that want it, the most important ones first.
wanted AS MATERIALIZED (
	SELECT lock, taker, call, ns, row_number() OVER (PARTITION BY lock ORDER BY ns DESC) AS place FROM (
		SELECT lock, taker, call, sum(ns) AS ns FROM lost
		WHERE lock IN (SELECT lock FROM contended) AND taker IS NOT NULL GROUP BY lock, taker, call)),
worst AS MATERIALIZED (
	SELECT lock, process, max(ns) FROM (SELECT lock, process, sum(ns) AS ns FROM waiter WHERE NOT kernel GROUP BY lock, process)
	GROUP BY lock),
released AS MATERIALIZED (
	SELECT w.resource AS lock, w.other_task AS task, w.other_stack AS stack, sum(w.ns) AS ns FROM waker_total w
	WHERE w.resource IN (SELECT lock FROM contended) AND w.other_task IS NOT NULL AND w.other_task <> w.task
	GROUP BY w.resource, w.other_task, w.other_stack),
holder AS MATERIALIZED (
	SELECT lock, task, sum(ns) AS ns, sum(ns) * 1.0 / sum(sum(ns)) OVER (PARTITION BY lock) AS share
	FROM released GROUP BY lock, task
	UNION ALL -- it is only spun for: whoever does held it before
	SELECT lock, task, ns, 1 FROM waiter WHERE lock NOT IN (SELECT lock FROM released)),
giver AS MATERIALIZED (
	SELECT lock, stack, max(ns) AS ns FROM (SELECT lock, stack, sum(ns) AS ns FROM released GROUP BY lock, stack)
	WHERE stack IS NOT NULL GROUP BY lock),
up(leaf, frame, parent, up) AS (
	SELECT s.id, s.frame, s.parent, 0 FROM stack s WHERE s.id IN (SELECT stack FROM giver)
	UNION ALL
	SELECT u.leaf, s.frame, s.parent, u.up + 1 FROM up u JOIN stack s ON s.id = u.parent)
SELECT 'waited' AS urgency, min(1, c.share) AS impact, c.threads, p.comm, p.pid, printf('%.0f', 100 * c.share) AS share,
	ifnull(k.taker, 'the kernel') AS taker, ifnull(' for ' || k.call, '') AS call,
	'kernel lock' AS resource_kind, ifnull(r.name || ' (' || k.taker || ')', k.taker) AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', t.pid, 'tid', t.tid, 'comm', t.process_comm, 'cgroup', t.cgroup) AS x
			FROM holder o JOIN thread t USING (task)
			WHERE o.lock = c.lock AND o.share >= 0.05 ORDER BY t.kernel, o.ns DESC LIMIT 10)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.process_comm, 'cgroup', t.cgroup)
			FROM waiter w JOIN thread t USING (task)
			WHERE w.lock = c.lock AND w.task NOT IN (SELECT task FROM holder o WHERE o.lock = c.lock AND o.share >= 0.05)
			ORDER BY w.ns DESC LIMIT 10))) AS affected,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('metric', 'time lost to the lock', 'value', 100 * c.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.1)) AS x
		UNION ALL
		SELECT json_object('metric', 'threads waiting at a time', 'value', c.ns * 1.0 / span.ns, 'unit', 'threads',
			'threshold', coalesce(:total, 0.15))
		UNION ALL
		SELECT json_object('metric', 'waits for the lock', 'value', c.count * 1e9 / span.ns, 'unit', '/s', 'threshold', coalesce(:rate, 2))
		UNION ALL
		SELECT json_object('metric', 'CPUs that spin for it', 'value', c.spun * 1.0 / span.ns, 'unit', 'CPUs')
		UNION ALL
		SELECT json_object('metric', 'wanted by ' || taker || ifnull(' for ' || call, ''), 'value', 100.0 * ns / c.ns, 'unit', '%')
		FROM (SELECT * FROM wanted ORDER BY place) w WHERE w.lock = c.lock AND w.place <= 3)) AS evidence,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'holder', 'weight_ms', g.ns / 1e6, 'frames', (SELECT json_group_array(name) FROM (
			SELECT n.name FROM up u JOIN frame_name n USING (frame) WHERE u.leaf = g.stack ORDER BY u.up DESC))) AS x
		FROM giver g WHERE g.lock = c.lock
		UNION ALL
		SELECT json_object('role', 'waiter', 'metric', 'wait.kernel_lock', 'process', p.id, 'function', ifnull(k.taker, ''))
		UNION ALL
		SELECT json_object('role', 'waiter', 'metric', 'cpu.time', 'process', p.id, 'function', ifnull(k.taker, ''))
		WHERE 2 * c.spun > c.ns)) AS stacks
FROM contended c JOIN worst b ON b.lock = c.lock JOIN process p ON p.id = b.process
	LEFT JOIN resource r ON r.id = c.lock LEFT JOIN wanted k ON k.lock = c.lock AND k.place = 1, span
ORDER BY c.ns * c.share DESC LIMIT 5;
