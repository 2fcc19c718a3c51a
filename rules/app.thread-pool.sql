-- SPDX-License-Identifier: BSD-2-Clause
-- title: Every worker of a pool is busy or blocked while work queues up
-- summary: {story}
-- kind: wait
-- explain: Threads of a process with one name (but for a number) are a pool; where they have no name of their own, those that
--    began with one function; Ruby names them after the line where they begin. Threads outside of it that wait until one of
--    these ends their wait have work with it; more of them than workers are a queue, and so is a thread of the process
--    that cannot hand over work because the workers are not done. The pool is too small when its workers are never without
--    work meanwhile, and what they do is mostly waiting: workers that compute lack CPUs, not threads. Waits that a third
--    thread of the process ends for them, as the loop that answers the clients, count as the workers' if it waits for those.
--    So are threads, of one process or of several, that answer at one port, each a request at a time: they are too few when
--    requests lie unread meanwhile, and the workers do not compute, nor wait for a disk, a lock or another service.
--    A service stands still if, when the recording ends, requests lie unread in its sockets, for long, while it sends nothing to
--    any client and its threads do not run: who should work on them waits for something else. So does one at whose port connections
--    wait to be accepted, while all who listen have taken a request. Requests that are taken but not answered alone may be meant to take long.
-- threshold queue = 0.25: more waiters than workers, of the workers; less is chance
-- threshold looked_at = 500: threads of a process at most, to look for the functions that they began with; each takes time
-- threshold feeder = 0.5: of the period that a thread of the process itself waits for the workers
-- threshold fed = 0.1: of the workers' time waiting to be given work; more means that there are enough of them
-- threshold blocked = 0.5: of the workers' time waiting; below that they compute
-- threshold served = 0.7: of the time of those who answer at a port, within requests; the rest is taking the next one
-- threshold unread = 0.5: requests that lie unread at a time, at least
-- threshold requests = 3: answered, in all; fewer say nothing
-- threshold rate = 1: pieces of work a second; fewer are no service
-- threshold age = 2: seconds that requests have been without an answer, and nobody got one; a slow service is not dead
-- threshold idle = 0.05: of those seconds on a CPU; who computes has not come to a stand
-- action: Find out why the workers wait that long, and bound it: perfscope flamegraph --kind offcpu --idle -p {pid}
-- action: If what they wait for can take more at a time, give the pool more threads
-- action: See who waits for whom at this moment: perfscope threads -p {pid}
-- runbook: thread-pool-exhaustion
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
nameless AS MATERIALIZED (
	SELECT task FROM thread WHERE NOT own AND NOT kernel AND tid <> pid AND comm = process_comm
		AND process IN (SELECT process FROM process_time WHERE threads <= coalesce(:looked_at, 500))),
told AS MATERIALIZED (
	SELECT task, stack, row_number() OVER (PARTITION BY task ORDER BY sum(ns) DESC) AS place FROM wait_part
	WHERE stack IS NOT NULL AND task IN (SELECT task FROM nameless) GROUP BY task, stack),
rise(leaf, frame, parent, up) AS (
	SELECT t.stack, s.frame, s.parent, 0 FROM (SELECT DISTINCT stack FROM told WHERE place <= 3) t JOIN stack s ON s.id = t.stack
	UNION ALL
	SELECT r.leaf, s.frame, s.parent, r.up + 1 FROM rise r JOIN stack s ON s.id = r.parent WHERE r.up < 512),
-- What was cut short does not show where it began.
cut AS MATERIALIZED (SELECT DISTINCT r.leaf FROM rise r JOIN frame_name n USING (frame) WHERE r.parent IS NULL AND n.kind = 'unknown'),
outermost AS MATERIALIZED (
	SELECT r.leaf, c.name, max(r.up) FROM rise r JOIN code_frame c USING (frame)
	WHERE c.rank > 0 AND NOT (c.kind = 'python' AND c.module GLOB '*/threading.py') AND r.leaf NOT IN (SELECT leaf FROM cut) GROUP BY r.leaf),
began AS MATERIALIZED (
	SELECT t.task, o.name, min(t.place) FROM told t JOIN outermost o ON o.leaf = t.stack WHERE t.place <= 3 GROUP BY t.task),
worker AS MATERIALIZED (
	SELECT t.task, t.process, coalesce(b.name, iif(t.comm GLOB '*.rb:*', t.comm, rtrim(t.comm, '0123456789') || '*')) AS pool, s.running + s.runnable AS busy,
		s.sleeping + s.disk AS waited,
		t.tid = t.pid AS leader
	FROM thread t JOIN thread_state s ON s.task = t.task LEFT JOIN began b ON b.task = t.task WHERE NOT t.own AND NOT t.kernel
		AND t.process NOT IN (SELECT process FROM runtime WHERE name IN ('Go', 'BEAM'))), -- whose threads are anybody's
pool AS MATERIALIZED (
	SELECT process, pool, count(*) AS workers, sum(busy) AS busy, sum(waited) AS waited
	FROM worker, span WHERE NOT leader AND busy + waited >= 0.9 * span.ns GROUP BY process, pool HAVING count(*) > 1),
member AS MATERIALIZED (SELECT w.* FROM worker w JOIN pool USING (process, pool) WHERE NOT leader),
ended AS MATERIALIZED (
	SELECT task, other_task, stack, sum(count) AS count, sum(ns) AS ns FROM waker_total
	WHERE other_task IS NOT NULL AND other_task <> task GROUP BY task, other_task, stack),
-- Threads of the process that act for the workers: most of their own waits end when a worker is done.
agent AS MATERIALIZED (
	SELECT task, process, pool FROM (
		SELECT e.task, m.process, m.pool, sum(e.ns) AS ns, (SELECT sum(ns) FROM waker_total a WHERE a.task = e.task) AS all_ns
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
	SELECT s.id FROM queue_frame CROSS JOIN stack s USING (frame)
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
-- Who takes in what clients send waits for that, too, unless it is an answer. Of Ruby's threads that only sleep one at a time does so in a
-- poll, for signals.
listened AS MATERIALIZED (
	SELECT m.process, m.pool, sum(w.ns - ifnull(c.ns, 0)) - (SELECT iif(m.process IN (SELECT process FROM runtime WHERE name = 'Ruby'), ns, 0) FROM span) AS ns
	FROM member m JOIN (SELECT task, sum(ns) AS ns FROM thread_wait WHERE cause IN ('net', 'poll') GROUP BY task) w USING (task)
		LEFT JOIN (SELECT task, sum(ns) AS ns FROM (SELECT task, ns FROM call UNION ALL SELECT task, ns FROM unanswered WHERE kind = 'call')
			GROUP BY task) c USING (task)
	WHERE w.ns > 2 * ifnull(c.ns, 0) AND (SELECT v.ns >= 0.9 * s.ns FROM service_period v, span s) -- calls were looked at all the time
	GROUP BY m.process, m.pool),
given AS MATERIALIZED (
	SELECT process, pool, sum(ns) AS ns FROM (SELECT * FROM fed UNION ALL SELECT * FROM listened) GROUP BY process, pool),
found AS MATERIALIZED (
	SELECT p.*, d.clients, d.feeder, d.rate, ifnull(f.ns, 0) * 1.0 / (p.busy + p.waited) AS fed,
		p.waited * 1.0 / (p.busy + p.waited) AS share, max(d.clients - p.workers, d.feeder) AS queued,
		max(iif(d.clients > p.workers, 1 - p.workers / d.clients, 0), d.feeder) AS impact
	FROM pool p JOIN demand d USING (process, pool) LEFT JOIN given f USING (process, pool)
	WHERE (d.clients >= p.workers * (1 + coalesce(:queue, 0.25)) OR d.feeder >= coalesce(:feeder, 0.5))
		AND d.rate >= coalesce(:rate, 1) AND ifnull(f.ns, 0) <= coalesce(:fed, 0.1) * (p.busy + p.waited)
		AND p.waited >= coalesce(:blocked, 0.5) * (p.busy + p.waited)),
-- Who answers at a port, one request at a time.
server AS MATERIALIZED (
	SELECT r.resource, r.task, t.process, r.count, r.queue, r.ns - r.queue AS ns, r.other FROM request r JOIN thread t USING (task)
	WHERE NOT t.own AND t.process NOT IN (SELECT process FROM found) AND t.process NOT IN (SELECT process FROM runtime WHERE name = 'Go')),
manned AS MATERIALIZED (
	SELECT s.resource, v.name, count(*) AS workers, sum(s.queue) * 1.0 / span.ns AS queued, sum(s.other) * 1.0 / sum(s.ns) AS share,
		sum(s.count) AS count, max(s.ns), s.process
	FROM server s JOIN service v USING (resource), span GROUP BY s.resource
	HAVING sum(s.ns) BETWEEN coalesce(:served, 0.7) * count(*) * span.ns AND 1.05 * count(*) * span.ns
		AND sum(s.other) >= coalesce(:blocked, 0.5) * sum(s.ns) AND sum(s.count) >= coalesce(:requests, 3)
		AND sum(s.queue) >= max(coalesce(:unread, 0.5), coalesce(:queue, 0.25) * count(*)) * span.ns),
at_port AS MATERIALIZED (
	SELECT resource, task, stack, max(ns) AS ns FROM (
		SELECT s.resource, w.task, w.stack, sum(w.ns) AS ns FROM wait_stack w JOIN server s USING (task)
		WHERE w.stack IS NOT NULL AND s.resource IN (SELECT resource FROM manned) GROUP BY s.resource, w.task, w.stack)
	GROUP BY resource),
blocked AS MATERIALIZED (
	SELECT process, pool, task, stack, max(ns) AS ns FROM (
		SELECT m.process, m.pool, w.task, w.stack, sum(w.ns) AS ns FROM wait_stack w JOIN member m USING (task)
		WHERE w.stack IS NOT NULL GROUP BY m.process, m.pool, w.task, w.stack) JOIN found USING (process, pool)
	GROUP BY process, pool),
walk(leaf, frame, parent, up) AS (
	SELECT s.id, s.frame, s.parent, 0 FROM stack s WHERE s.id IN (SELECT stack FROM blocked UNION SELECT stack FROM at_port)
	UNION ALL
	SELECT w.leaf, s.frame, s.parent, w.up + 1 FROM walk w JOIN stack s ON s.id = w.parent WHERE w.up < 64),
place AS MATERIALIZED (
	SELECT w.leaf, c.name, min(w.up - 64 * c.rank) FROM walk w JOIN code_frame c USING (frame) GROUP BY w.leaf),
-- What goes on as the recording ends.
recent AS MATERIALIZED (
	SELECT id, end_ns - start_ns AS ns FROM slice WHERE start_ns >= (SELECT end_ns FROM period) - coalesce(:age, 2) * 1e9
		AND EXISTS (SELECT 1 FROM unanswered)),
late AS MATERIALIZED (
	SELECT t.process, r.name, m.name AS metric, r.id AS resource, sum(s.value) AS value
	FROM recent CROSS JOIN sample s ON s.slice = recent.id JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
		LEFT JOIN resource r ON r.id = s.resource
	WHERE m.name IN ('connection.standing', 'connection.sent', 'request.time', 'task.running', 'offcpu.disk') AND NOT t.own
	GROUP BY t.process, m.name, r.id),
unread AS MATERIALIZED (SELECT resource, sum(count) AS count, sum(ns) AS ns FROM unanswered WHERE kind = 'unread' GROUP BY resource),
taken AS MATERIALIZED (
	SELECT t.process, u.resource, sum(u.count) AS count, sum(u.ns) AS ns FROM unanswered u JOIN thread t ON t.task = u.task
	WHERE u.kind IN ('request', 'silent') GROUP BY t.process, u.resource),
answers AS MATERIALIZED (
	SELECT l.resource FROM late l WHERE l.value > 0 AND (l.metric = 'request.time'
		OR l.metric = 'connection.sent' AND EXISTS (SELECT 1 FROM taken t WHERE t.process = l.process AND t.resource = l.resource))),
-- Connections wait to be accepted, and none of those who do that answers: all of them have taken a request.
stuck AS MATERIALIZED (
	SELECT r.id AS resource FROM recent c JOIN level l ON l.slice = c.id AND l.metric = 'port.queue'
	JOIN resource r ON r.kind = 'service' AND r.name = l.resource
	WHERE r.id NOT IN (SELECT resource FROM answers) GROUP BY r.id HAVING min(l.value) > 0 AND count(*) = (SELECT count(*) FROM recent)),
dead AS MATERIALIZED (
	SELECT o.process, o.resource, o.count, (o.ns + ifnull(u.ns, 0)) * 1.0 / (o.count + ifnull(u.count, 0)) AS age,
		sum(o.count) OVER (PARTITION BY o.resource) + ifnull(u.count, 0) AS count_all,
		row_number() OVER (PARTITION BY o.resource ORDER BY o.count DESC, o.ns DESC) AS place
	FROM taken o LEFT JOIN unread u ON u.resource = o.resource, (SELECT sum(ns) AS ns FROM recent) c
	WHERE age >= coalesce(:age, 2) * 1e9
		-- Several, or one for all of that time; a sender that is shut out has sent too much, and is another matter.
		AND (u.count OR EXISTS (SELECT 1 FROM late l WHERE l.process = o.process AND l.resource = o.resource
			AND l.metric = 'connection.standing' AND l.value >= 0.9 * c.ns) OR o.resource IN (SELECT resource FROM stuck))
		AND NOT EXISTS (SELECT 1 FROM late l WHERE l.process = o.process AND l.resource = o.resource AND l.value > 0
			AND l.metric IN ('connection.sent', 'request.time'))
		AND NOT EXISTS (SELECT 1 FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
			WHERE m.name = 'connection.not_read' AND t.process = o.process)
		AND ifnull((SELECT sum(value) FROM late l WHERE l.process = o.process AND l.metric = 'task.running'), 0) < coalesce(:idle, 0.05) * c.ns
		AND ifnull((SELECT sum(value) FROM late l WHERE l.process = o.process AND l.metric = 'offcpu.disk'), 0) < 0.5 * c.ns),
-- What most of its threads wait for but for the one that polls, as far as it was looked at.
looked AS MATERIALIZED (
	SELECT t.process, json_extract(j.value, '$.kind') AS kind, json_extract(j.value, '$.resource') AS resource,
		json_extract(j.value, '$.pid') AS pid, json_extract(j.value, '$.seconds') AS seconds, json_extract(j.value, '$.frames') AS frames
	FROM event e JOIN thread t ON t.task = e.task, json_each(e.detail) j WHERE e.kind = 'unanswered' AND json_valid(e.detail)),
place_of_held AS MATERIALIZED (
	SELECT process, threads || ' of its threads wait for ' || iif(kind = 'sleep', 'time to pass', kind) || ifnull(' ' || resource, '')
			|| ifnull(' (' || comm || ')', '') AS words, max(threads)
	FROM (SELECT l.process, l.kind, max(l.resource) AS resource, max(o.comm) AS comm, count(*) AS threads
		FROM looked l LEFT JOIN process o ON o.pid = l.pid AND o.id <> l.process GROUP BY l.process, l.kind)
	GROUP BY process),
held AS MATERIALIZED (
	SELECT resource, cause, threads, max(ns) FROM (
		SELECT d.resource, w.cause, count(DISTINCT w.task) AS threads, sum(w.ns) AS ns
		FROM dead d JOIN thread_wait w ON w.process = d.process WHERE w.cause <> 'poll' GROUP BY d.resource, w.cause)
	GROUP BY resource),
-- Whose answers it waits for itself.
asking AS MATERIALIZED (
	SELECT t.process, r.name, max(u.ns) FROM unanswered u JOIN thread t ON t.task = u.task JOIN resource r ON r.id = u.resource
	WHERE u.kind = 'call' GROUP BY t.process)
SELECT 'waited' AS urgency, f.impact, p.comm, p.pid,
	printf('All %d threads %s of %s are at work while %.1f more pieces of work wait: they spend %.0f %% of their time waiting%s',
		f.workers, rtrim(f.pool, '*-_#/: '), p.comm, f.queued, 100 * f.share, ifnull(' in ' || l.name, '')) AS story,
	'thread pool' AS resource_kind, printf('%d threads %s', f.workers, f.pool) AS resource_name,
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
UNION ALL
SELECT 'waited', m.queued / (m.queued + m.workers), p.comm, p.pid,
	printf('%s at %s at work while %.1f requests lie unread: %.0f %% of the work is waiting%s',
		iif(m.workers = 1, 'The only worker of ' || p.comm, printf('All %d workers of %s', m.workers, p.comm)),
		m.name || iif(m.workers = 1, ' is', ' are'), m.queued, 100 * m.share, ifnull(' in ' || l.name, '')),
	'service', m.name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', p.pid, 'tid', 0, 'comm', p.comm, 'cgroup',
			(SELECT path FROM cgroup g WHERE g.id = p.cgroup)) AS x
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM server s JOIN thread t USING (task) WHERE s.resource = m.resource ORDER BY s.ns DESC LIMIT 10))),
	json_array(
		json_object('metric', 'requests that lie unread at a time', 'value', m.queued, 'unit', 'requests',
			'threshold', max(coalesce(:unread, 0.5), coalesce(:queue, 0.25) * m.workers)),
		json_object('metric', 'workers', 'value', m.workers, 'unit', 'threads'),
		json_object('metric', 'workers waiting within requests', 'value', 100 * m.share, 'unit', '%', 'threshold', 100 * coalesce(:blocked, 0.5)),
		json_object('metric', 'requests answered', 'value', m.count, 'unit', 'requests', 'threshold', coalesce(:requests, 3))),
	-- The thread may be of another of their processes.
	json_array(json_object('role', 'waiter', 'metric', 'wait.*', 'process', iif(b.task IS NULL, m.process, NULL), 'task', b.task))
FROM manned m JOIN process p ON p.id = m.process LEFT JOIN at_port b ON b.resource = m.resource LEFT JOIN place l ON l.leaf = b.stack
UNION ALL
SELECT 'failing', 1.0, p.comm, p.pid,
	printf('%s does not answer at %s: %d requests have waited for %.1f s%s', p.comm, r.name, d.count_all, d.age / 1e9, coalesce(', ' || g.words,
		printf(', %d of its threads wait ', h.threads) || CASE
			WHEN h.cause = 'net' AND a.name IS NOT NULL THEN 'for an answer from ' || a.name
			WHEN h.cause = 'net' THEN 'for an answer from elsewhere' WHEN h.cause = 'lock' THEN 'for a lock'
			WHEN h.cause = 'ipc' THEN 'for another process' WHEN h.cause = 'sleep' THEN 'for time to pass' ELSE 'for ' || h.cause END, '')),
	'service', r.name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', p.pid, 'tid', 0, 'comm', p.comm, 'cgroup',
			(SELECT path FROM cgroup g WHERE g.id = p.cgroup)) AS x
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', w.pid, 'tid', w.tid, 'comm', w.comm, 'cgroup', w.cgroup)
			FROM thread_wait w JOIN dead o ON o.process = w.process AND o.resource = d.resource WHERE w.cause = h.cause ORDER BY o.place, w.ns DESC LIMIT 10)
		UNION ALL
		SELECT * FROM (SELECT DISTINCT json_object('role', 'victim', 'pid', t.pid, 'tid', 0, 'comm', t.process_comm, 'cgroup', t.cgroup)
			FROM unanswered u JOIN thread t ON t.task = u.task WHERE u.kind = 'call' AND u.resource = d.resource AND t.process <> d.process
			LIMIT 10))),
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('metric', 'requests without an answer', 'value', d.count_all, 'unit', 'requests') AS x
		UNION ALL SELECT json_object('metric', 'so far, mean', 'value', d.age / 1e9, 'unit', 's', 'threshold', coalesce(:age, 2))
		UNION ALL SELECT json_object('metric', 'threads that wait for the same', 'value', h.threads, 'unit', 'threads') WHERE h.threads)),
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'waiter', 'weight_ms', 1e3 * sum(l.seconds), 'frames', json(l.frames)) AS x FROM looked l
			WHERE l.process = d.process GROUP BY l.frames ORDER BY sum(l.seconds) DESC LIMIT 4)
		UNION ALL SELECT json_object('role', 'waiter', 'metric', 'wait.' || h.cause, 'process', d.process)
		WHERE NOT EXISTS (SELECT 1 FROM looked l WHERE l.process = d.process)))
FROM dead d JOIN process p ON p.id = d.process JOIN resource r ON r.id = d.resource LEFT JOIN held h ON h.resource = d.resource
	LEFT JOIN asking a ON a.process = d.process LEFT JOIN place_of_held g ON g.process = d.process
WHERE d.place = 1
ORDER BY impact DESC LIMIT 5;
