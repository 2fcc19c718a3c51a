-- SPDX-License-Identifier: BSD-2-Clause
-- title: Every worker of a pool is busy or blocked while work queues up
-- summary: All {workers} threads {pool} of {comm} are at work while {queued} more pieces of work wait: they spend {share} % of their
--    time waiting{where}
-- kind: wait
-- explain: Threads of a process with one name (but for a number) are a pool. Threads outside of it that wait until one of
--    these ends their wait have work with it; more of them than workers are a queue, and so is a thread of the process
--    that cannot hand over work because the workers are not done. The pool is too small when its workers are never without
--    work meanwhile, and what they do is mostly waiting: workers that compute lack CPUs, not threads. Waits that a third
--    thread of the process ends for them, as the loop that answers the clients, count as the workers' if it waits for those.
-- threshold queue = 0.25: more waiters than workers, of the workers; less is chance
-- threshold feeder = 0.5: of the period that a thread of the process itself waits for the workers
-- threshold fed = 0.1: of the workers' time waiting to be given work; more means that there are enough of them
-- threshold blocked = 0.5: of the workers' time waiting; below that they compute
-- threshold rate = 1: pieces of work a second; fewer are no service
-- action: Find out why the workers wait that long, and bound it: perfscope flamegraph --kind offcpu --idle -p {pid}
-- action: If what they wait for can take more at a time, give the pool more threads
-- action: See who waits for whom at this moment: perfscope threads -p {pid}
-- runbook: thread-pool-exhaustion
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
worker AS MATERIALIZED (
	SELECT t.task, t.process, rtrim(t.comm, '0123456789') AS pool, s.running + s.runnable AS busy,
		s.sleeping + s.disk AS waited,
		t.tid = t.pid AS leader
	FROM thread t JOIN thread_state s ON s.task = t.task WHERE NOT t.own AND NOT t.kernel
		AND t.process NOT IN (SELECT process FROM runtime WHERE name = 'Go')), -- whose threads are anybody's
pool AS MATERIALIZED (
	SELECT process, pool, count(*) AS workers, sum(busy) AS busy, sum(waited) AS waited
	FROM worker, span WHERE NOT leader AND busy + waited >= 0.9 * span.ns GROUP BY process, pool HAVING count(*) > 1),
member AS MATERIALIZED (SELECT w.* FROM worker w JOIN pool USING (process, pool) WHERE NOT leader),
ended AS MATERIALIZED (
	SELECT task, other_task, stack, sum(count) AS count, sum(ns) AS ns FROM waker
	WHERE other_task IS NOT NULL AND other_task <> task GROUP BY task, other_task, stack),
-- Threads of the process that act for the workers: most of their own waits end when a worker is done.
agent AS MATERIALIZED (
	SELECT task, process, pool FROM (
		SELECT e.task, m.process, m.pool, sum(e.ns) AS ns, (SELECT sum(ns) FROM waker a WHERE a.task = e.task) AS all_ns
		FROM ended e JOIN member m ON m.task = e.other_task JOIN worker w ON w.task = e.task
		WHERE w.process = m.process AND (w.pool <> m.pool OR w.leader) GROUP BY e.task, m.process, m.pool)
	WHERE ns >= 0.5 * all_ns),
serves AS MATERIALIZED (
	SELECT task, process, pool FROM member UNION SELECT task, process, pool FROM agent),
-- Threads that hand work to the workers wait on a queue that is full, not in line for a lock.
queue_frame AS MATERIALIZED (
	SELECT frame FROM frame_name WHERE name GLOB '*cond_*wait*' OR name GLOB '*sem_*wait*' OR name GLOB '*[pP]ark*'
		OR name GLOB '*pipe_write*' OR name GLOB '*lock_timed*' OR name GLOB '*ObjectMonitor::wait*'),
queue_stack(id) AS (
	SELECT s.id FROM stack s JOIN queue_frame USING (frame)
	UNION
	SELECT s.id FROM queue_stack q JOIN stack s ON s.parent = q.id),
-- What a runtime compiles and collects is not handed to the workers.
runtime_thread AS MATERIALIZED (
	SELECT t.task FROM thread t JOIN runtime r ON r.process = t.process AND r.name = 'HotSpot'
	WHERE t.comm GLOB 'C[12] Compiler*' OR t.comm GLOB 'VM *' OR t.comm GLOB 'GC Thread*' OR t.comm GLOB 'G1 *'
		OR t.comm IN ('Service Thread', 'Monitor Deflati', 'Sweeper thread', 'Notification Th', 'Signal Dispatch',
			'Reference Handl', 'Finalizer', 'Common-Cleaner')),
-- Who waits for the workers more than they wait for it: a client, and no partner that they ask themselves.
asked AS MATERIALIZED (
	SELECT m.process, m.pool, e.other_task AS task, sum(e.ns) AS ns FROM ended e JOIN member m ON m.task = e.task
	GROUP BY m.process, m.pool, e.other_task),
client AS MATERIALIZED (
	SELECT c.process, c.pool, c.task, c.feeder, c.count, min(c.ns, span.ns) AS waited
	FROM (SELECT v.process, v.pool, e.task, w.process = v.process AS feeder, sum(e.count) AS count, sum(e.ns) AS ns
		FROM ended e JOIN serves v ON v.task = e.other_task JOIN worker w ON w.task = e.task
		WHERE e.task NOT IN runtime_thread AND NOT (w.process = v.process AND (w.pool = v.pool AND NOT w.leader OR e.stack NOT IN queue_stack))
		GROUP BY v.process, v.pool, e.task) c, span
	WHERE c.ns > 2 * ifnull((SELECT a.ns FROM asked a WHERE a.process = c.process AND a.pool = c.pool AND a.task = c.task), 0)),
demand AS MATERIALIZED (
	SELECT process, pool, sum(iif(feeder, 0, waited)) * 1.0 / span.ns AS clients, max(iif(feeder, waited, 0)) * 1.0 / span.ns AS feeder,
		sum(count) * 1e9 / span.ns AS rate
	FROM client, span GROUP BY process, pool),
-- Waits that the rest of the process or a client ended: for something to do.
fed AS MATERIALIZED (
	SELECT m.process, m.pool, sum(e.ns) AS ns FROM ended e JOIN member m ON m.task = e.task JOIN worker w ON w.task = e.other_task
	WHERE (w.process = m.process AND (w.pool <> m.pool OR w.leader))
		OR EXISTS (SELECT 1 FROM client c WHERE c.process = m.process AND c.pool = m.pool AND c.task = e.other_task)
	GROUP BY m.process, m.pool),
found AS MATERIALIZED (
	SELECT p.*, d.clients, d.feeder, d.rate, ifnull(f.ns, 0) * 1.0 / (p.busy + p.waited) AS fed,
		p.waited * 1.0 / (p.busy + p.waited) AS share, max(d.clients - p.workers, d.feeder) AS queued,
		max(iif(d.clients > p.workers, 1 - p.workers / d.clients, 0), d.feeder) AS impact
	FROM pool p JOIN demand d USING (process, pool) LEFT JOIN fed f USING (process, pool)
	WHERE (d.clients >= p.workers * (1 + coalesce(:queue, 0.25)) OR d.feeder >= coalesce(:feeder, 0.5))
		AND d.rate >= coalesce(:rate, 1) AND ifnull(f.ns, 0) <= coalesce(:fed, 0.1) * (p.busy + p.waited)
		AND p.waited >= coalesce(:blocked, 0.5) * (p.busy + p.waited)),
blocked AS MATERIALIZED (
	SELECT process, pool, task, stack, max(ns) AS ns FROM (
		SELECT m.process, m.pool, w.task, w.stack, sum(w.ns) AS ns FROM wait_stack w JOIN member m USING (task)
		WHERE w.stack IS NOT NULL GROUP BY m.process, m.pool, w.task, w.stack) JOIN found USING (process, pool)
	GROUP BY process, pool),
walk(leaf, frame, parent, up) AS (
	SELECT s.id, s.frame, s.parent, 0 FROM stack s WHERE s.id IN (SELECT stack FROM blocked)
	UNION ALL
	SELECT w.leaf, s.frame, s.parent, w.up + 1 FROM walk w JOIN stack s ON s.id = w.parent WHERE w.up < 64),
place AS MATERIALIZED (
	SELECT w.leaf, n.name, min(iif(n.kind = 'python', w.up - 64, w.up)) FROM walk w JOIN frame_name n USING (frame)
	WHERE n.kind IN ('elf', 'jit', 'python') AND n.module NOT GLOB '*/libc.so*' AND n.module NOT GLOB '*/libc-*'
		AND n.module NOT GLOB '*/libpthread*' GROUP BY w.leaf)
SELECT 'waited' AS urgency, f.impact, f.workers, rtrim(f.pool, '-_#/: ') AS pool, p.comm, p.pid, printf('%.1f', f.queued) AS queued,
	printf('%.0f', 100 * f.share) AS share, ifnull(' in ' || l.name, '') AS "where",
	'thread pool' AS resource_kind, printf('%d threads %s*', f.workers, f.pool) AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', p.pid, 'tid', 0, 'comm', p.comm, 'cgroup',
			(SELECT path FROM cgroup g WHERE g.id = p.cgroup)) AS x
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM member m JOIN thread t USING (task) WHERE m.process = f.process AND m.pool = f.pool ORDER BY m.waited DESC LIMIT 10)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM client c JOIN thread t USING (task) WHERE c.process = f.process AND c.pool = f.pool ORDER BY c.waited DESC LIMIT 10))) AS affected,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('metric', 'threads that wait for a worker at a time', 'value', f.clients + f.feeder, 'unit', 'threads',
			'threshold', f.workers * (1 + coalesce(:queue, 0.25))) AS x
		UNION ALL SELECT json_object('metric', 'workers', 'value', f.workers, 'unit', 'threads')
		UNION ALL SELECT json_object('metric', 'workers waiting to be given work', 'value', 100 * f.fed, 'unit', '%', 'threshold', 100 * coalesce(:fed, 0.1))
		UNION ALL SELECT json_object('metric', 'workers waiting', 'value', 100 * f.share, 'unit', '%', 'threshold', 100 * coalesce(:blocked, 0.5))
		UNION ALL SELECT json_object('metric', 'waits that workers ended', 'value', f.rate, 'unit', '/s', 'threshold', coalesce(:rate, 1))
		UNION ALL SELECT evidence FROM unanswered_evidence u WHERE u.process = f.process)) AS evidence,
	json_array(json_object('role', 'waiter', 'metric', 'wait.*', 'process', f.process, 'task', b.task)) AS stacks
FROM found f JOIN process p ON p.id = f.process LEFT JOIN blocked b ON b.process = f.process AND b.pool = f.pool
	LEFT JOIN place l ON l.leaf = b.stack
ORDER BY f.impact DESC LIMIT 5;
