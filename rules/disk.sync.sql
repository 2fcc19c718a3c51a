-- SPDX-License-Identifier: BSD-2-Clause
-- title: Threads wait for fsync, fdatasync or a journal commit
-- summary: {comm} spends {share} % of its time in {call} until the disk has {file}{lock}
-- explain: Looks at waits for a disk whose stacks lead through a call that returns only when data is on the disk. The time
--    that the waiting threads work or are held up is the whole. Waits for a lock count too if it is held
--    during such a call: its stack and that of who gives the lock back go through the same function, and the call
--    takes more of the time there than computing does. One thread alone that nobody waits for is only mentioned, unless
--    it syncs again and again and does little else: that job would be done in half the time.
-- threshold share = 0.2: of the time that the waiting threads are not idle, waiting or at work in the call; less is the price of
--    keeping data
-- threshold waits = 0.1: of that time, waiting; where it is less, the call is work for the CPU
-- threshold total = 0.1: of the period, summed over the threads; below that nobody notices
-- threshold rate = 5: calls a second; one at the end of a job is as it should be
-- threshold under = 0.5: of the time in the function that holds a lock, taken by such calls; most means more than half
-- threshold client = 0.3: of the period that a thread waits for the process; below that it has other work to do
-- threshold alone = 0.3: of the period, that a thread alone is in such calls, waiting or not; it must be half of its work, too
-- threshold alone_rate = 100: waits a second of a thread alone, up to three in a call; a log syncs a few times a second
-- action: Sync less often: collect several changes and sync once (group commit), or leave it to another thread
-- action: Do not hold a lock meanwhile: write under the lock, sync without it
-- action: See who syncs: perfscope flamegraph --kind disk -p {pid}
-- runbook: slow-disk
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
syncing AS MATERIALIZED (SELECT id FROM sync_stack),
called AS MATERIALIZED (
	SELECT t.process, w.task, w.stack, w.function, w.call, w.resource, sum(w.count) AS count, sum(w.ns) AS ns
	FROM sync_wait w JOIN thread t ON t.task = w.task
	WHERE NOT t.own AND NOT t.kernel
	GROUP BY w.task, w.stack, w.resource),
-- Processes that one parent has made, of one name, that sync one file are one program, as a database is.
part_of AS MATERIALIZED (
	SELECT c.process, min(c.process) OVER (PARTITION BY p.ppid, p.comm, c.resource) AS program
	FROM (SELECT process, resource, max(ns) FROM (SELECT process, resource, sum(ns) AS ns FROM called WHERE resource GROUP BY process, resource)
		GROUP BY process) c JOIN process p ON p.id = c.process),
member AS NOT MATERIALIZED (
	SELECT t.id AS task, ifnull((SELECT p.program FROM part_of p WHERE p.process = t.process), t.process) AS process FROM task t),
synced AS MATERIALIZED (
	SELECT m.process, c.task, c.stack, c.function, c.call, c.resource, c.count, c.ns FROM called c JOIN member m USING (task)),
-- The heaviest file, and call, of each process.
file AS MATERIALIZED (
	SELECT process, resource, ns, row_number() OVER (PARTITION BY process ORDER BY ns DESC) AS place FROM (
		SELECT process, resource, sum(ns) AS ns FROM synced WHERE resource GROUP BY process, resource)),
way AS MATERIALIZED (
	SELECT process, function, call, max(ns) FROM (
		SELECT process, function, call, sum(ns) AS ns FROM synced GROUP BY process, function) GROUP BY process),
locked AS MATERIALIZED (
	SELECT t.process, w.task, w.stack, w.other_stack, sum(w.ns) AS ns
	FROM waker_total w JOIN resource r ON r.id = w.resource JOIN member t ON t.task = w.task JOIN member o ON o.task = w.other_task
	WHERE r.kind = 'futex' AND o.process = t.process AND w.task <> w.other_task
		AND w.other_task IN (SELECT task FROM synced) GROUP BY w.task, w.stack, w.other_stack),
-- Functions of programs above each of these stacks; of those in Python and Ruby not the interpreter's, but for that in which Ruby
-- runs a block and gives the lock back.
code AS MATERIALIZED (
	SELECT frame, name FROM frame_name WHERE kind IN ('elf', 'jit', 'python') AND module NOT GLOB '*/libc.so*'
		AND module NOT GLOB '*/libc-*' AND module NOT GLOB '*/libpthread*' AND name NOT GLOB '*[lL]ock*'
		AND NOT (kind = 'elf' AND (module GLOB '*/python[0-9]*' OR module GLOB '*/libpython*'
			OR ((module GLOB '*/libruby*' OR module GLOB '*/ruby' OR module GLOB '*/ruby[0-9]*') AND name <> 'rb_ensure')))),
walk(leaf, frame, parent, up) AS (
	SELECT s.id, s.frame, s.parent, 0 FROM stack s
	WHERE s.id IN (SELECT stack FROM synced UNION SELECT other_stack FROM locked)
	UNION ALL
	SELECT w.leaf, s.frame, s.parent, w.up + 1 FROM walk w JOIN stack s ON s.id = w.parent WHERE w.up < 64),
above AS MATERIALIZED (SELECT leaf, name, min(up) AS up FROM walk JOIN code USING (frame) GROUP BY leaf, name),
giver AS MATERIALIZED (SELECT leaf, name, min(up) FROM above GROUP BY leaf),
takes_lock AS MATERIALIZED (
	SELECT frame FROM frame_name WHERE name GLOB 'PyThread_acquire_lock*' OR name GLOB 'rb_mutex_*' OR name GLOB '*mutex*lock*' OR name GLOB '*Mutex*[lL]ock*' OR name GLOB '*rwlock*lock*'
		OR name GLOB '*lll_lock*' OR name GLOB 'LWLockAcquire*'),
lock_stack(id) AS (
	SELECT s.id FROM takes_lock CROSS JOIN stack s USING (frame)
	UNION
	SELECT s.id FROM lock_stack l JOIN stack s ON s.parent = l.id),
held AS MATERIALIZED (
	SELECT l.process, g.name, l.task, sum(l.ns) AS ns FROM locked l JOIN giver g ON g.leaf = l.other_stack
	WHERE l.stack IN lock_stack
		AND EXISTS (SELECT 1 FROM synced y JOIN above a ON a.leaf = y.stack WHERE y.process = l.process AND a.name = g.name)
	GROUP BY l.process, g.name, l.task),
inside(process, name, id) AS (
	SELECT h.process, h.name, s.id FROM (SELECT DISTINCT process, name FROM held) h JOIN code c ON c.name = h.name
	JOIN stack s ON s.frame = c.frame
	UNION
	SELECT i.process, i.name, s.id FROM inside i JOIN stack s ON s.parent = i.id),
spent AS MATERIALIZED (
	SELECT i.process, i.name, sum(iif(c.stack IN syncing, c.ns, 0)) AS syncing, sum(iif(c.stack IN syncing, 0, c.ns)) AS other
	FROM cpu_total c JOIN member t ON t.task = c.task JOIN inside i ON i.id = c.stack AND i.process = t.process
	GROUP BY i.process, i.name),
under AS MATERIALIZED (
	SELECT h.process, h.task, sum(h.ns) AS ns FROM held h LEFT JOIN spent s ON s.process = h.process AND s.name = h.name
	WHERE (ifnull(s.syncing, 0) + (SELECT sum(ns) FROM synced y WHERE y.process = h.process)) * (1 - coalesce(:under, 0.5))
		>= ifnull(s.other, 0) * coalesce(:under, 0.5)
	GROUP BY h.process, h.task),
part AS MATERIALIZED (
	SELECT process, task, sum(sync) AS sync, sum(lock) AS lock, sum(count) AS count FROM (
		SELECT process, task, ns AS sync, 0 AS lock, count FROM synced
		UNION ALL SELECT process, task, 0, ns, 0 FROM under) GROUP BY process, task),
whole AS MATERIALIZED (
	SELECT p.*, s.running + s.runnable + s.held_up
		- ifnull((SELECT ns FROM thread_wait l WHERE l.task = p.task AND l.cause = 'lock'), 0) + p.lock AS active
	FROM part p JOIN thread_state s ON s.task = p.task),
client AS MATERIALIZED (
	SELECT m.process AS server, w.task, sum(w.ns) AS ns FROM woken_by w JOIN member m ON m.task = w.other_task
	JOIN member o ON o.task = w.task JOIN thread v ON v.task = w.task, span
	WHERE o.process <> m.process AND NOT v.own AND NOT v.kernel GROUP BY m.process, w.task
	HAVING sum(w.ns) >= coalesce(:client, 0.3) * span.ns AND sum(w.count) * 1e9 >= coalesce(:rate, 5) * span.ns),
computed AS MATERIALIZED (
	SELECT m.process, sum(c.ns) AS ns FROM cpu_total c JOIN member m USING (task) WHERE c.stack IN syncing GROUP BY m.process),
found AS MATERIALIZED (
	SELECT w.process, sum(w.active) AS active, sum(w.sync) AS sync, sum(w.lock) AS lock, sum(w.count) AS count, sum(w.sync > 0) AS threads,
		min(1, (sum(w.sync) + sum(w.lock) + ifnull(c.ns, 0)) * 1.0 / sum(w.active)) AS share
	FROM whole w LEFT JOIN computed c ON c.process = w.process, span GROUP BY w.process
	HAVING share >= coalesce(:share, 0.2) AND sum(w.sync) + sum(w.lock) >= coalesce(:waits, 0.1) * sum(w.active)
		AND sum(w.sync) >= coalesce(:total, 0.1) * span.ns AND sum(w.count) * 1e9 >= coalesce(:rate, 5) * span.ns)
SELECT iif(f.lock OR f.threads > 1 OR f.process IN (SELECT server FROM client)
		OR (f.sync + ifnull(c.ns, 0) >= max(coalesce(:alone, 0.3) * span.ns, 0.5 * f.active)
			AND f.count * 1e9 >= coalesce(:alone_rate, 100) * span.ns), 'waited', 'none') AS urgency,
	f.share AS impact, p.comm, p.pid, printf('%.0f', 100 * f.share) AS share,
	ifnull(r.name, iif(y.call = 'sync', 'all files', 'its data')) AS file, y.call,
	iif(f.lock, ', and for a lock that is held meanwhile', '') AS lock,
	iif(r.name IS NULL, NULL, 'file') AS resource_kind, r.name AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', t.pid, 'tid', t.tid, 'cgroup', t.cgroup,
				'comm', iif(t.comm GLOB 'iou-wrk-*', t.process_comm, t.comm)) AS x -- io_uring's workers are the process's own
			FROM whole w JOIN thread t USING (task) WHERE w.process = f.process AND w.sync ORDER BY w.sync DESC LIMIT 10)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM (SELECT task, lock AS ns FROM whole WHERE process = f.process AND NOT sync
				UNION ALL SELECT task, ns FROM client WHERE server = f.process) v JOIN thread t USING (task)
			ORDER BY v.ns DESC LIMIT 10))) AS affected,
	(SELECT json_group_array(json(x)) FROM (
		SELECT value AS x FROM json_each(json_array(
			json_object('metric', 'share of such calls', 'value', 100 * f.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.2)),
			json_object('metric', 'threads in such calls at a time', 'value', f.sync * 1.0 / span.ns, 'unit', 'threads',
				'threshold', coalesce(:total, 0.1)),
			json_object('metric', 'threads waiting for a lock held meanwhile', 'value', f.lock * 1.0 / span.ns, 'unit', 'threads'),
			json_object('metric', 'waits in such calls', 'value', f.count * 1e9 / span.ns, 'unit', '/s', 'threshold', coalesce(:rate, 5)),
			json_object('metric', 'CPU time in such calls', 'value', 100.0 * ifnull(c.ns, 0) / span.ns, 'unit', '%'),
			json_object('metric', 'mean wait', 'value', f.sync / 1e6 / f.count, 'unit', 'ms')))
		UNION ALL
		SELECT * FROM (SELECT json_object('metric', 'waits for ' || n.name, 'value', 100.0 * o.ns / f.sync, 'unit', '%')
			FROM file o JOIN resource n ON n.id = o.resource WHERE o.process = f.process AND o.place <= 3 ORDER BY o.place))) AS evidence,
	json_array(json_object('role', iif(f.lock, 'holder', 'waiter'), 'metric', 'wait.disk', 'process', f.process,
		'function', y.function)) AS stacks
FROM found f JOIN process p ON p.id = f.process JOIN way y ON y.process = f.process LEFT JOIN computed c ON c.process = f.process
	LEFT JOIN file o ON o.process = f.process AND o.place = 1 LEFT JOIN resource r ON r.id = o.resource, span
ORDER BY f.share DESC LIMIT 5;
