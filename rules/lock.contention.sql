-- SPDX-License-Identifier: BSD-2-Clause
-- title: Threads wait for a user-space lock that other threads hold
-- summary: {threads} of {comm} wait{s} {share} % of {their} time for one lock{where}
-- kind: wait
-- explain: Looks at sleeps on a futex or for a lock of a file that another thread ended, and whose stacks lead through a
--    function that takes a lock. A lock that several processes share is one lock. A semaphore is a lock if those who wait for
--    it let each other go on. Sleeps on condition variables, other semaphores and barriers are no contention: a worker that
--    waits there has nothing to do. The time that a thread works or is held up is the whole; what it waits for a lock is the part.
-- threshold share = 0.2: of the time that the waiting threads are not idle; less is the ordinary price of sharing
-- threshold total = 0.2: of the period, summed over the threads; below that nobody notices
-- threshold turn = 0.8: of the waiting for a semaphore is ended by threads that wait for it themselves; else it hands out work
-- threshold least = 0.9: CPUs that threads of Java that let each other go on use together; below that there is not always one that runs
-- threshold go_least = 0.6: the same of Go, where what ends the waits is seen to give a lock back
-- threshold unlocks = 0.1: of all that such a program's threads wait, ended by one that gives the lock back; idle threads wait for work
-- threshold most = 1.1: CPUs likewise; above that they run side by side, as workers do
-- threshold one = 0.7: of their CPU time, used by one thread; above that it feeds the others
-- threshold in_request = 0.5: of the time of requests that their threads, of Java, wait for a lock or for each other; and of
-- threshold requests = 10: requests at least
-- threshold rate = 2: waits a second; one long wait alone is no contention
-- action: Keep the lock shorter in {holder}: move what needs no protection out of it, or split the lock's data
-- action: See what is done under the lock: perfscope flamegraph --kind lock -p {pid}
-- action: See who waits for whom at this moment: perfscope threads -p {pid}
-- runbook: lock-contention
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
woken AS MATERIALIZED (
	SELECT t.process, e.task, e.stack, e.resource, e.other_task, e.other_stack, sum(e.count) AS count, sum(e.ns) AS ns
	FROM metric m JOIN edge_total e ON e.kind = m.id JOIN resource r ON r.id = e.resource
	JOIN thread t ON t.task = e.task JOIN task o ON o.id = e.other_task
	WHERE m.name = 'waker' AND r.kind IN ('futex', 'file', 'semaphore') AND e.task <> e.other_task
		AND NOT t.own AND NOT t.kernel AND e.stack IS NOT NULL
	GROUP BY e.task, e.stack, e.resource, e.other_task, e.other_stack),
-- What functions' names say of a wait. The nearest to the leaf counts: a condition variable takes its lock again, too. But
-- runtimes build their locks, and queues, of other things: there the outermost says. parks: each thread sleeps on a word of
-- its own, 2: in a poll, 3: each process of one parent's.
pattern(kind, name, sort, is_outer, parks) AS (VALUES
	('kernel', '*lock_inode_wait', 'lock', 0, 0), ('kernel', 'fcntl_setlk*', 'lock', 0, 0),
	('elf', '*mutex*lock*', 'lock', 0, 0), ('elf', '*Mutex*[lL]ock*', 'lock', 0, 0), ('elf', '*rwlock*lock*', 'lock', 0, 0),
	('elf', '*rwlock*_contended*', 'lock', 0, 0), -- of Rust
	('elf', '*lll_lock*', 'lock', 0, 0), ('elf', 'PyThread_acquire_lock*', 'lock', 1, 0),
	('elf', '*ObjectMonitor::enter*', 'lock', 1, 1), ('elf', 'Unsafe_Park*', 'park', 1, 1), -- of workers as well as locks
	('elf', 'sync.([*]Mutex).lockSlow', 'lock', 1, 1), ('elf', 'sync.([*]RWMutex).*Lock*', 'lock', 1, 1),
	('elf', 'rb_mutex_lock', 'lock', 1, 1), ('elf', 'do_mutex_lock', 'lock', 1, 1),
	('elf', 'rb_native_cond_*wait', 'turn', 1, 1), -- of Ruby, whose own functions have no names: for whatever it may be
	('elf', '*RawMutex*lock_slow*', 'lock', 1, 1), ('elf', '*RawRwLock*slow*', 'lock', 1, 1), ('elf', 'absl::*Mutex::*Lock*', 'lock', 1, 1),
	('elf', '*lock_wait_suspend_thread*', 'lock', 1, 1), ('elf', 'LWLockAcquire*', 'lock', 1, 3),
	('elf', 'LockAcquireExtended', 'lock', 1, 2), -- of a database: its processes sleep in a poll meanwhile
	('elf', '*sem_*wait*', 'semaphore', 0, 0), ('kernel', '*semtimedop', 'semaphore', 0, 0), ('elf', '*SimpleQueue_get*', 'work', 1, 0),
	('elf', '*cond_*wait*', 'work', 0, 0), ('elf', '*barrier_wait*', 'work', 0, 0), ('elf', '*join*', 'work', 0, 0)),
wait_walk(leaf, frame, parent, up) AS (
	SELECT s.id, s.frame, s.parent, 0 FROM stack s WHERE s.id IN (SELECT stack FROM woken)
	UNION ALL
	SELECT w.leaf, s.frame, s.parent, w.up + 1 FROM wait_walk w JOIN stack s ON s.id = w.parent WHERE w.up < 64),
walked AS MATERIALIZED (SELECT DISTINCT frame FROM wait_walk),
named AS MATERIALIZED (
	SELECT f.frame, f.name, p.is_outer, p.sort, p.parks
	FROM walked JOIN frame_name f USING (frame) JOIN pattern p ON p.kind = f.kind AND f.name GLOB p.name GROUP BY f.frame HAVING max(p.is_outer) IS NOT NULL
	UNION ALL
	SELECT frame, name, 2, 'work', 0 FROM walked JOIN frame_name USING (frame)
	WHERE kind = 'python' AND module GLOB '*/threading.py' AND (name GLOB '*wait*' OR name GLOB '*join*')),
-- A thread that is new, as one for each request, has rarely been looked at before it waits for long: then only the kernel's part of its
-- stack is known, and what most others of its process do that wait for the same tells the rest.
bare AS MATERIALIZED (
	SELECT w.leaf FROM wait_walk w JOIN frame_name n USING (frame) GROUP BY w.leaf HAVING sum(n.kind <> 'kernel') = 0),
usual AS MATERIALIZED (
	SELECT process, resource, stack, max(ns) FROM (
		SELECT process, resource, stack, sum(ns) AS ns FROM woken WHERE stack NOT IN (SELECT leaf FROM bare) GROUP BY process, resource, stack)
	GROUP BY process, resource),
known AS MATERIALIZED (
	SELECT w.process, w.task, coalesce(u.stack, w.stack) AS stack, w.resource, w.other_task, w.other_stack, w.count, w.ns
	FROM woken w LEFT JOIN bare b ON b.leaf = w.stack LEFT JOIN usual u ON b.leaf AND u.process = w.process AND u.resource = w.resource),
sorted AS MATERIALIZED (
	SELECT leaf, sort, parks, name, up, min(iif(is_outer, -up - 64 * is_outer, up)) FROM wait_walk JOIN named USING (frame) GROUP BY leaf
	UNION ALL -- a program without names
	SELECT leaf, 'semaphore', 0, NULL, up, min(up) FROM wait_walk JOIN frame_name f USING (frame) WHERE f.kind <> 'kernel'
		AND leaf NOT IN (SELECT leaf FROM wait_walk JOIN named USING (frame)) GROUP BY leaf HAVING f.symbol IS NULL AND f.kind = 'elf'),
taker AS MATERIALIZED (
	SELECT s.leaf, s.sort, s.parks, iif(s.sort = 'turn', 'a Mutex or Monitor', iif(s.sort = 'park', 'a lock of java.util.concurrent', s.name)
		|| ', called in ' || iif(n.kind = 'jit' AND n.symbol IS NULL, 'generated code', n.name)) AS name
	FROM sorted s LEFT JOIN wait_walk w ON w.leaf = s.leaf AND w.up = s.up + 1 LEFT JOIN frame_name n USING (frame) WHERE s.sort <> 'work'),
-- A thread of Go that has nothing to run sleeps where its last goroutine stopped, until there is something, and one of Ruby sleeps
-- in one place whatever it waits for: only what an unlock ends was a wait for the lock.
unlocking(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame) WHERE n.name GLOB 'sync.([*]Mutex).unlockSlow' OR n.name GLOB 'sync.([*]RWMutex).*Unlock*'
		OR n.name GLOB 'rb_mutex_unlock*'
	UNION
	SELECT s.id FROM unlocking u JOIN stack s ON s.parent = u.id),
-- A thread that has found work looks for another to look for more; and of some it is not known why they wake a thread.
relaying(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame) WHERE EXISTS (SELECT 1 FROM runtime WHERE name = 'Go')
		AND (n.name = 'runtime.resetspinning' OR n.kind = 'unknown' OR (n.kind = 'kernel' AND s.parent IS NULL))
	UNION
	SELECT s.id FROM relaying r JOIN stack s ON s.parent = r.id),
-- Where goroutines compute under one lock, one of them runs at any time. Those in line are no threads: each unlock wakes a thread for
-- the next one, wherever that thread had stopped.
one_goroutine AS MATERIALIZED (
	SELECT p.process FROM process_state p JOIN runtime r ON r.process = p.process AND r.name = 'Go', span
	WHERE p.running BETWEEN coalesce(:go_least, 0.6) * span.ns AND coalesce(:most, 1.1) * span.ns
		AND p.process IN (SELECT process FROM woken GROUP BY process
			HAVING sum(iif(other_stack IN (SELECT id FROM unlocking), ns, 0)) >= coalesce(:turn, 0.8)
				* sum(iif(other_stack IN (SELECT id FROM unlocking) OR other_stack NOT IN (SELECT id FROM relaying), ns, 0))
				AND sum(iif(other_stack IN (SELECT id FROM unlocking), ns, 0)) >= coalesce(:unlocks, 0.1) * sum(ns))),
-- Where a lock parks each thread on a word of its own, it is known by whose code takes it.
sorted_wait AS MATERIALIZED (
	SELECT process, task, stack, other_task, iif(other_stack IN (SELECT id FROM unlocking), other_stack, NULL) AS other_stack, count, ns, 'lock' AS sort,
		'a Mutex or RWMutex' AS name, 0 AS idle, min(resource) OVER (PARTITION BY process) AS resource
	FROM woken WHERE process IN (SELECT process FROM one_goroutine)
		AND (other_stack IN (SELECT id FROM unlocking) OR other_stack IN (SELECT id FROM relaying))
	UNION ALL
	SELECT min(process) OVER (PARTITION BY resource), task, stack, other_task, other_stack, count, ns, sort, name, idle, resource
	FROM (SELECT w.task, w.process, w.stack, w.other_task, w.other_stack, w.count, w.ns, t.sort, iif(t.parks, t.name, NULL) AS name, t.parks = 2 AS idle,
			iif(t.parks, min(w.resource) OVER (PARTITION BY CASE t.parks WHEN 2 THEN w.resource WHEN 3 THEN p.ppid ELSE w.process END, t.parks, t.name),
				w.resource) AS resource
		FROM known w JOIN taker t ON t.leaf = w.stack JOIN process p ON p.id = w.process
		WHERE w.process NOT IN (SELECT process FROM one_goroutine))),
-- Whoever waits for a semaphore and also lets others go on there had it to himself: he uses it as a lock. But one that is held
-- by who waits for a message is a place in a line of workers.
listening(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame) WHERE n.kind = 'kernel' AND n.name GLOB '*pipe_read'
	UNION
	SELECT s.id FROM listening l JOIN stack s ON s.parent = l.id),
listened AS MATERIALIZED (
	SELECT w.resource, sum(iif(d.other_stack IN (SELECT id FROM listening), d.ns, 0)) * 1.0 / sum(d.ns) AS share
	FROM waker_did_total d JOIN (SELECT DISTINCT task, stack, resource FROM sorted_wait WHERE sort = 'semaphore') w USING (task, stack)
	WHERE d.other_stack NOT IN (SELECT stack FROM sorted_wait) GROUP BY w.resource),
taken_in_turn AS MATERIALIZED (
	SELECT w.resource FROM sorted_wait w
		LEFT JOIN (SELECT DISTINCT resource, task FROM sorted_wait) o ON o.resource = w.resource AND o.task = w.other_task
	GROUP BY w.resource HAVING sum(iif(o.task IS NULL, 0, w.ns)) >= coalesce(:turn, 0.8) * sum(w.ns)
		AND w.resource NOT IN (SELECT resource FROM listened WHERE share >= 0.5)),
-- Threads of Java park for a lock as they do for work. If it is a lock that they hand on, then one of them runs at any time.
one_by_one AS MATERIALIZED (
	SELECT w.resource FROM (SELECT DISTINCT resource, task FROM sorted_wait WHERE sort = 'park') w JOIN thread_state s USING (task), span
	GROUP BY w.resource HAVING sum(s.running) BETWEEN coalesce(:least, 0.9) * span.ns AND coalesce(:most, 1.1) * span.ns
		AND max(s.running) <= coalesce(:one, 0.7) * sum(s.running)),
-- So they do while they have taken a request, and then it is for one of their own pool.
in_request AS MATERIALIZED (
	SELECT t.process FROM request r JOIN thread t ON t.task = r.task GROUP BY t.process
	HAVING sum(r.lock) >= coalesce(:in_request, 0.5) * sum(r.ns - r.queue) AND sum(r.count) >= coalesce(:requests, 10)),
same_pool AS MATERIALIZED (
	SELECT DISTINCT w.task, w.other_task FROM sorted_wait w JOIN task a ON a.id = w.task JOIN task b ON b.id = w.other_task
	WHERE w.sort = 'park' AND a.process = b.process AND rtrim(a.comm, '0123456789') = rtrim(b.comm, '0123456789')),
lock_wait AS MATERIALIZED (
	SELECT * FROM sorted_wait WHERE (sort IN ('lock', 'turn') OR resource IN (SELECT resource FROM taken_in_turn))
		AND (sort <> 'park' OR resource IN (SELECT resource FROM one_by_one)
			OR (process IN (SELECT process FROM in_request) AND (task, other_task) IN (SELECT task, other_task FROM same_pool)))
		AND (ifnull(name, '') NOT GLOB 'sync.*' AND sort <> 'turn' OR other_stack IN (SELECT id FROM unlocking))),
waiter AS MATERIALIZED (
	SELECT w.process, w.resource, w.task, w.count, min(w.ns, l.ns) AS ns,
		s.running + s.runnable + s.held_up - iif(l.idle, 0, l.ns) + min(w.ns, l.ns) AS active
	FROM (SELECT process, resource, task, idle, sum(count) AS count, sum(ns) AS ns FROM lock_wait GROUP BY process, resource, task) w
	JOIN thread_state s ON s.task = w.task
	JOIN thread_wait l ON l.task = w.task AND l.cause = iif(w.idle, 'poll', 'lock')),
contended AS MATERIALIZED (
	SELECT w.process, w.resource, count(*) AS threads, sum(w.count) AS count, sum(w.ns) AS ns, sum(w.ns) * 1.0 / sum(w.active) AS share
	FROM waiter w, span GROUP BY w.process, w.resource
	HAVING sum(w.ns) >= coalesce(:share, 0.2) * sum(w.active) AND sum(w.ns) >= coalesce(:total, 0.2) * span.ns
		AND sum(w.count) * 1e9 / span.ns >= coalesce(:rate, 2)),
holder AS MATERIALIZED (
	SELECT l.process, l.resource, l.other_task AS task, sum(l.ns) AS ns,
		-- of an even share
		sum(l.ns) * c.threads / sum(sum(l.ns)) OVER (PARTITION BY l.process, l.resource) AS share
	FROM lock_wait l JOIN contended c USING (process, resource) GROUP BY l.process, l.resource, l.other_task),
-- What a holder waited for meanwhile, unless that was the lock.
did AS MATERIALIZED (
	SELECT process, resource, stack, max(ns) AS ns FROM (
		SELECT c.process, c.resource, d.other_stack AS stack, sum(d.ns) AS ns
		FROM waker_did_total d JOIN (SELECT DISTINCT task, stack, process, resource FROM lock_wait) l USING (task, stack)
			JOIN contended c USING (process, resource)
		WHERE NOT d.ran AND d.other_stack NOT IN (SELECT stack FROM sorted_wait)
		GROUP BY c.process, c.resource, d.other_stack)
	GROUP BY process, resource),
-- Whose code gave the lock back: the nearest function that is neither the C library's nor the lock's own.
wake_walk(leaf, frame, parent, up) AS (
	SELECT s.id, s.frame, s.parent, 0 FROM stack s
	WHERE s.id IN (SELECT other_stack FROM lock_wait JOIN contended USING (process, resource) UNION SELECT stack FROM did)
	UNION ALL
	SELECT w.leaf, s.frame, s.parent, w.up + 1 FROM wake_walk w JOIN stack s ON s.id = w.parent WHERE w.up < 64),
code AS MATERIALIZED (
	SELECT frame, name, rank FROM code_frame
	WHERE rank AND name NOT GLOB '*[uU]nlock*'
		-- linked statically, or of a lock's guard
		AND name NOT GLOB '*lll_lock_wake*' AND name NOT GLOB '*sem_post*' AND name NOT GLOB '*futex_wake*'
		AND name NOT GLOB '*rwlock*wake*' AND name NOT GLOB '*LockWakeup*' AND name NOT GLOB '*LockRelease*'
		AND name NOT GLOB '*_lock<*' AND name NOT GLOB '*lock_guard*' AND name NOT GLOB '*Mutex*Guard*'
		AND NOT (kind = 'python' AND (module GLOB '*/multiprocessing/*' OR module GLOB '*/threading.py'))),
caller AS MATERIALIZED (SELECT leaf, name, min(up - 64 * rank) FROM wake_walk JOIN code USING (frame) GROUP BY leaf),
held_in AS MATERIALIZED (
	SELECT process, resource, name, max(ns) FROM (
		SELECT l.process, l.resource, c.name, sum(l.ns) AS ns
		FROM lock_wait l JOIN caller c ON c.leaf = l.other_stack GROUP BY l.process, l.resource, c.name)
	GROUP BY process, resource),
giver AS MATERIALIZED (
	SELECT process, resource, stack, max(ns) AS ns FROM (
		SELECT process, resource, l.other_stack AS stack, sum(l.ns) AS ns FROM lock_wait l JOIN contended USING (process, resource)
		WHERE l.other_stack IS NOT NULL GROUP BY process, resource, l.other_stack)
	GROUP BY process, resource),
line AS MATERIALIZED (
	SELECT process, resource, stack, max(ns) AS ns FROM (
		SELECT process, resource, stack, sum(l.ns) AS ns FROM lock_wait l JOIN contended USING (process, resource) GROUP BY process, resource, stack)
	GROUP BY process, resource),
taken_in AS MATERIALIZED (
	SELECT l.process, l.resource, c.name, min(w.up - 64 * c.rank) FROM line l JOIN wait_walk w ON w.leaf = l.stack JOIN code c USING (frame)
	WHERE c.frame NOT IN (SELECT frame FROM named) GROUP BY l.process, l.resource)
SELECT 'waited' AS urgency, c.share AS impact, iif(c.threads = 1, 'one thread', c.threads || ' threads') AS threads,
	iif(c.threads = 1, 's', '') AS s, iif(c.threads = 1, 'its', 'their') AS their, p.comm, p.pid, printf('%.0f', 100 * c.share) AS share,
	coalesce(', held in ' || h.name, ', taken in ' || i.name, '') AS "where", coalesce(h.name, i.name, 'its holder') AS holder,
	r.kind AS resource_kind, ifnull((SELECT l.name FROM lock_wait l WHERE l.process = c.process AND l.resource = c.resource), r.name) AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup) AS x
			FROM holder o JOIN thread t USING (task)
			WHERE o.process = c.process AND o.resource = c.resource AND o.share >= 0.2 ORDER BY o.ns DESC LIMIT 10)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM waiter w JOIN thread t USING (task)
			WHERE w.process = c.process AND w.resource = c.resource AND w.task NOT IN (
				SELECT task FROM holder o WHERE o.process = c.process AND o.resource = c.resource AND o.share >= 0.2)
			ORDER BY w.ns DESC LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'lock wait share', 'value', 100 * c.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.2)),
		json_object('metric', 'threads waiting at a time', 'value', c.ns * 1.0 / span.ns, 'unit', 'threads',
			'threshold', coalesce(:total, 0.2)),
		json_object('metric', 'waits for the lock', 'value', c.count * 1e9 / span.ns, 'unit', '/s', 'threshold', coalesce(:rate, 2)),
		json_object('metric', 'mean wait', 'value', c.ns / 1e6 / c.count, 'unit', 'ms')) AS evidence,
	json_array(
		(SELECT json_object('role', 'holder', 'weight_ms', x.ns / 1e6, 'frames', (SELECT json_group_array(name) FROM (
				SELECT n.name FROM wake_walk k JOIN frame_name n USING (frame) WHERE k.leaf = x.stack ORDER BY k.up DESC)))
			FROM giver x WHERE x.process = c.process AND x.resource = c.resource),
		(SELECT json_object('role', 'holder', 'weight_ms', x.ns / 1e6, 'frames', (SELECT json_group_array(name) FROM (
				SELECT n.name FROM wake_walk k JOIN frame_name n USING (frame) WHERE k.leaf = x.stack ORDER BY k.up DESC)))
			FROM did x WHERE x.process = c.process AND x.resource = c.resource),
		json_object('role', 'holder', 'metric', iif(h.name IS NULL, 'none', 'cpu.time'), 'process', c.process,
			'function', ifnull(h.name, '')),
		(SELECT json_object('role', 'waiter', 'weight_ms', x.ns / 1e6, 'frames', (SELECT json_group_array(name) FROM (
				SELECT n.name FROM wait_walk k JOIN frame_name n USING (frame) WHERE k.leaf = x.stack ORDER BY k.up DESC)))
			FROM line x WHERE x.process = c.process AND x.resource = c.resource)) AS stacks
FROM contended c JOIN process p ON p.id = c.process JOIN resource r ON r.id = c.resource
	LEFT JOIN held_in h ON h.process = c.process AND h.resource = c.resource
	LEFT JOIN taken_in i ON i.process = c.process AND i.resource = c.resource, span
ORDER BY c.share * c.ns DESC LIMIT 5;
