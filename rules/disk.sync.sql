-- SPDX-License-Identifier: BSD-2-Clause
-- title: Threads wait for fsync, fdatasync or a journal commit
-- summary: {comm} waits {share} % of its time until the disk has {file}{lock}
-- explain: Looks at waits for a disk whose stacks lead through a call that returns only when data is on the disk. The time
--    that the waiting threads work or are held up is the whole. Waits for a lock count too if it is held
--    during such a call: its stack and that of who gives the lock back go through the same function, and the call
--    takes more of the time there than computing does. One thread alone that nobody waits for is only mentioned.
-- threshold share = 0.2: of the time that the waiting threads are not idle; less is the price of keeping data
-- threshold total = 0.1: of the period, summed over the threads; below that nobody notices
-- threshold rate = 5: calls a second; one at the end of a job is as it should be
-- threshold under = 0.5: of the time in the function that holds a lock, taken by such calls; most means more than half
-- threshold client = 0.3: of the period that a thread waits for the process; below that it has other work to do
-- action: Sync less often: collect several changes and sync once (group commit), or leave it to another thread
-- action: Do not hold a lock meanwhile: write under the lock, sync without it
-- action: See who syncs: perfscope flamegraph --kind disk -p {pid}
-- runbook: slow-disk
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
sync_frame AS MATERIALIZED (
	SELECT frame FROM frame_name WHERE kind = 'kernel' AND (name GLOB '*_sys_fsync' OR name GLOB '*_sys_fdatasync'
		OR name GLOB '*_sys_msync' OR name GLOB '*_sys_sync_file_range' OR name GLOB '*_sys_sync' OR name GLOB '*_sys_syncfs'
		OR name IN ('vfs_fsync_range', 'jbd2_log_wait_commit', 'jbd2_complete_transaction'))),
sync_stack(id) AS (
	SELECT s.id FROM stack s JOIN sync_frame USING (frame)
	UNION
	SELECT s.id FROM sync_stack y JOIN stack s ON s.parent = y.id),
synced AS MATERIALIZED (
	SELECT t.process, w.task, w.stack, w.resource, sum(w.count) AS count, sum(w.ns) AS ns
	FROM wait_stack w JOIN thread t ON t.task = w.task
	WHERE w.cause IN ('disk', 'dirty', 'kernel_lock', 'other') AND w.stack IN sync_stack AND NOT t.own AND NOT t.kernel
	GROUP BY w.task, w.stack, w.resource),
locked AS MATERIALIZED (
	SELECT t.process, w.task, w.stack, w.other_stack, sum(w.ns) AS ns
	FROM waker w JOIN resource r ON r.id = w.resource JOIN thread t ON t.task = w.task JOIN thread o ON o.task = w.other_task
	WHERE r.kind = 'futex' AND o.process = t.process AND w.task <> w.other_task
		AND w.other_task IN (SELECT task FROM synced) GROUP BY w.task, w.stack, w.other_stack),
-- Functions of programs above each of these stacks.
code AS MATERIALIZED (
	SELECT frame, name FROM frame_name WHERE kind IN ('elf', 'jit', 'python') AND module NOT GLOB '*/libc.so*'
		AND module NOT GLOB '*/libc-*' AND module NOT GLOB '*/libpthread*' AND name NOT GLOB '*[lL]ock*'),
walk(leaf, frame, parent, up) AS (
	SELECT s.id, s.frame, s.parent, 0 FROM stack s
	WHERE s.id IN (SELECT stack FROM synced UNION SELECT other_stack FROM locked)
	UNION ALL
	SELECT w.leaf, s.frame, s.parent, w.up + 1 FROM walk w JOIN stack s ON s.id = w.parent WHERE w.up < 64),
above AS MATERIALIZED (SELECT leaf, name, min(up) AS up FROM walk JOIN code USING (frame) GROUP BY leaf, name),
giver AS MATERIALIZED (SELECT leaf, name, min(up) FROM above GROUP BY leaf),
takes_lock AS MATERIALIZED (
	SELECT frame FROM frame_name WHERE name GLOB '*mutex*lock*' OR name GLOB '*Mutex*[lL]ock*' OR name GLOB '*rwlock*lock*'
		OR name GLOB '*lll_lock*'),
lock_stack(id) AS (
	SELECT s.id FROM stack s JOIN takes_lock USING (frame)
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
	SELECT i.process, i.name, sum(iif(c.stack IN sync_stack, c.ns, 0)) AS syncing, sum(iif(c.stack IN sync_stack, 0, c.ns)) AS other
	FROM cpu_sample c JOIN task t ON t.id = c.task JOIN inside i ON i.id = c.stack AND i.process = t.process
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
	SELECT t.process AS server, w.task, sum(w.ns) AS ns FROM woken_by w JOIN thread t ON t.task = w.other_task
	JOIN thread v ON v.task = w.task, span
	WHERE v.process <> t.process AND NOT v.own AND NOT v.kernel GROUP BY t.process, w.task
	HAVING sum(w.ns) >= coalesce(:client, 0.3) * span.ns AND sum(w.count) * 1e9 >= coalesce(:rate, 5) * span.ns),
found AS MATERIALIZED (
	SELECT w.process, sum(w.sync) AS sync, sum(w.lock) AS lock, sum(w.count) AS count, sum(w.sync > 0) AS threads,
		min(1, (sum(w.sync) + sum(w.lock)) * 1.0 / sum(w.active)) AS share
	FROM whole w, span GROUP BY w.process
	HAVING sum(w.sync) + sum(w.lock) >= coalesce(:share, 0.2) * sum(w.active) AND sum(w.sync) >= coalesce(:total, 0.1) * span.ns
		AND sum(w.count) * 1e9 >= coalesce(:rate, 5) * span.ns)
SELECT iif(f.lock OR f.threads > 1 OR f.process IN (SELECT server FROM client), 'waited', 'none') AS urgency,
	f.share AS impact, p.comm, p.pid, printf('%.0f', 100 * f.share) AS share, ifnull(r.name, 'its data') AS file,
	iif(f.lock, ', and for a lock that is held meanwhile', '') AS lock,
	'file' AS resource_kind, ifnull(r.name, '') AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup) AS x
			FROM whole w JOIN thread t USING (task) WHERE w.process = f.process AND w.sync ORDER BY w.sync DESC LIMIT 10)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM (SELECT task, lock AS ns FROM whole WHERE process = f.process AND NOT sync
				UNION ALL SELECT task, ns FROM client WHERE server = f.process) v JOIN thread t USING (task)
			ORDER BY v.ns DESC LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'sync wait share', 'value', 100 * f.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.2)),
		json_object('metric', 'threads in such calls at a time', 'value', f.sync * 1.0 / span.ns, 'unit', 'threads',
			'threshold', coalesce(:total, 0.1)),
		json_object('metric', 'threads waiting for a lock held meanwhile', 'value', f.lock * 1.0 / span.ns, 'unit', 'threads'),
		json_object('metric', 'waits in such calls', 'value', f.count * 1e9 / span.ns, 'unit', '/s', 'threshold', coalesce(:rate, 5)),
		json_object('metric', 'mean wait', 'value', f.sync / 1e6 / f.count, 'unit', 'ms')) AS evidence,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', iif(f.lock, 'holder', 'waiter'), 'metric', 'wait.disk', 'process', f.process, 'function',
			(SELECT n.name FROM synced y JOIN walk w ON w.leaf = y.stack JOIN sync_frame USING (frame)
				JOIN frame_name n ON n.frame = w.frame WHERE y.process = f.process ORDER BY y.ns DESC, w.up DESC LIMIT 1)) AS x)) AS stacks
FROM found f JOIN process p ON p.id = f.process, span
	LEFT JOIN resource r ON r.id = (
		SELECT resource FROM synced y WHERE y.process = f.process AND resource GROUP BY resource ORDER BY sum(ns) DESC LIMIT 1)
ORDER BY f.share DESC LIMIT 5;
