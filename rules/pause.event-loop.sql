-- SPDX-License-Identifier: BSD-2-Clause
-- title: An event loop is held up by single long bursts
-- summary: {comm}'s event loop is held up {share} % of the time, {longest} ms at the most, by {function}
-- explain: Looks for threads that come back many times a second to a call that waits for the first of many files (epoll, poll,
--    select, io_uring), and now and then do not for long: they compute, or wait for something else. All that
--    they serve waits meanwhile. In Go and Erlang any thread polls for all, and that is no loop. A loop that is never idle goes on serving in between: its time is in the calls of sockets.
--    It is worth a warning when threads of other processes wait for it.
-- threshold share = 0.05: of the period in bursts of 20 ms and more; below that few clients meet one
-- threshold longest = 40: milliseconds; shorter ones look like any other delay of a network
-- threshold rate = 5: times a second that the loop comes back to its poll; below that it is a worker that waits for jobs
-- threshold polls = 2: as many polls as bursts; fewer, and long bursts are how it works
-- threshold serving = 0.15: of the bursts in calls of sockets and polls; above that it serves many in turn
-- threshold function = 0.5: of the bursts' time in the function that is named; most means more than half
-- threshold behind = 0.05: of the bursts' time that requests lie unread at a thread which is one of several at its port; less, and it
--    serves one client at a time, who waits for his own answer
-- threshold known = 0.5: of the bursts, whose stacks are known; less says little about the whole
-- threshold client = 0.1: of the period that a thread of another process waits for the loop
-- action: Take {function} out of the loop: into a thread, a process, or pieces that let the loop go on in between
-- action: If it waits there, use calls that do not block: perfscope flamegraph --kind pause -p {pid}
-- runbook: gc-pauses
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
held AS MATERIALIZED (
	SELECT p.task, p.process, count(*) AS count, sum(p.ns) AS ns, max(p.ns) AS max FROM pause p, span
	WHERE p.kind = 'burst' AND p.process NOT IN (SELECT process FROM runtime WHERE name IN ('Go', 'BEAM')) GROUP BY p.task
	HAVING sum(p.ns) >= coalesce(:share, 0.05) * span.ns AND max(p.ns) >= 1e6 * coalesce(:longest, 40)),
polls AS MATERIALIZED (
	SELECT s.task, sum(s.count) AS count FROM sample_total s JOIN metric m ON m.id = s.metric
	WHERE m.name = 'loop.polls' AND s.task IN (SELECT task FROM held) GROUP BY s.task),
loop AS MATERIALIZED (
	SELECT h.*, p.count AS polls FROM held h JOIN polls p ON p.task = h.task, span
	WHERE p.count * 1e9 >= coalesce(:rate, 5) * span.ns AND p.count >= coalesce(:polls, 2) * h.count),
leaf AS MATERIALIZED (
	SELECT s.task, s.stack, sum(s.value) AS ns FROM sample_total s JOIN metric m ON m.id = s.metric
	WHERE m.name = 'pause.burst' AND s.task IN (SELECT task FROM loop) AND s.stack IS NOT NULL GROUP BY s.task, s.stack),
walk(task, leaf, frame, parent, up) AS (
	SELECT l.task, l.stack, s.frame, s.parent, 0 FROM leaf l JOIN stack s ON s.id = l.stack
	UNION ALL
	SELECT w.task, w.leaf, s.frame, s.parent, w.up + 1 FROM walk w JOIN stack s ON s.id = w.parent WHERE w.up < 512),
-- What is above its own poll, the outermost, is the loop, not what holds it up.
poll_walk(task, leaf, frame, parent, up) AS (
	SELECT w.task, w.stack, s.frame, s.parent, 0
	FROM (SELECT DISTINCT task, stack FROM wait_part WHERE cause = 'poll' AND task IN (SELECT task FROM loop)) w JOIN stack s ON s.id = w.stack
	UNION ALL
	SELECT w.task, w.leaf, s.frame, s.parent, w.up + 1 FROM poll_walk w JOIN stack s ON s.id = w.parent WHERE w.up < 512),
own_poll AS MATERIALIZED (
	SELECT task, leaf, min(depth) FROM (
		SELECT w.task, w.leaf, max(w.up) AS depth FROM poll_walk w LEFT JOIN code_frame c USING (frame) GROUP BY w.task, w.leaf
		HAVING count(c.frame))
	GROUP BY task),
base AS MATERIALIZED (SELECT DISTINCT w.task, n.name FROM own_poll JOIN poll_walk w USING (task, leaf) JOIN code_frame n USING (frame)),
named AS MATERIALIZED (
	SELECT f.frame, f.name, f.kind = 'kernel' AND (f.name GLOB '*_sys_*poll*' OR f.name GLOB '*_sys_*select*'
			OR f.name GLOB '*_sys_accept*' OR f.name GLOB '*_sys_send*' OR f.name GLOB '*_sys_recv*' OR f.name GLOB 'sock_*'
			OR f.name GLOB '*_sys_io_uring_enter') AS serves,
		iif(f.name IN ('main', '__libc_start_main', '__libc_start_call_main', '<module>', 'uv_run', 'uv__io_poll')
			OR f.name GLOB '*Selector.select', NULL, c.rank) AS rank, -- what waits there is its caller
		f.kind = 'kernel' AND (f.name GLOB '*schedule*' OR f.name IN ('wait_woken', 'sk_wait_data')) AS sleeps,
		f.kind = 'kernel' AND (f.name GLOB '*_sys_recv*' OR f.name GLOB 'sock_re*') AS receives
	FROM frame_name f LEFT JOIN code_frame c USING (frame) WHERE f.frame IN (SELECT frame FROM walk)),
total AS MATERIALIZED (SELECT task, sum(ns) AS ns FROM leaf GROUP BY task),
serving AS MATERIALIZED (
	SELECT l.task, sum(l.ns) AS ns FROM leaf l
	WHERE l.stack IN (SELECT w.leaf FROM walk w JOIN named n USING (frame) WHERE n.serves)
		-- Asleep in a poll within a burst it is not the loop's own.
		AND l.stack NOT IN (SELECT w.leaf FROM walk w JOIN named n USING (frame) WHERE n.sleeps) GROUP BY l.task),
-- A thread that serves a client, and waits for what that one sends next, is no loop that is held up: it makes no call.
listening AS MATERIALIZED (
	SELECT l.task, sum(l.ns) AS ns FROM leaf l
	WHERE l.stack IN (SELECT w.leaf FROM walk w JOIN named n USING (frame) WHERE n.receives)
		AND l.stack IN (SELECT w.leaf FROM walk w JOIN named n USING (frame) WHERE n.sleeps)
		AND l.task IN (SELECT task FROM request WHERE count) GROUP BY l.task),
calling AS MATERIALIZED (SELECT task, sum(ns) AS ns FROM call WHERE task IN (SELECT task FROM loop) GROUP BY task),
candidate AS MATERIALIZED (
	SELECT w.task, w.leaf, n.name, min(w.up) AS up, iif(b.name IS NULL, n.rank, -1) AS rank
	FROM walk w JOIN named n USING (frame) LEFT JOIN base b ON b.task = w.task AND b.name = n.name WHERE n.rank IS NOT NULL
	GROUP BY w.task, w.leaf, n.name),
best AS MATERIALIZED (SELECT task, leaf, max(rank) AS rank FROM candidate GROUP BY task, leaf),
-- The program's own functions, where there are any, not those of libraries that they call.
step AS MATERIALIZED (SELECT c.* FROM candidate c JOIN best USING (task, leaf, rank)),
-- The function nearest to the leaves that has most of the bursts below it.
burst AS MATERIALIZED (
	SELECT task, nullif(name, iif(name GLOB '[[]*', name, '')) AS name, share, min(up) FROM (
		SELECT s.task, s.name, sum(l.ns) * 1.0 / max(t.ns, o.ns * coalesce(:known, 0.5)) AS share, sum(s.up * l.ns) * 1.0 / sum(l.ns) AS up
		FROM step s JOIN leaf l ON l.task = s.task AND l.stack = s.leaf JOIN total t ON t.task = s.task
		JOIN loop o ON o.task = s.task GROUP BY s.task, s.name)
	WHERE share >= coalesce(:function, 0.5) GROUP BY task),
client AS MATERIALIZED (
	SELECT w.other_task AS loop, w.task, sum(w.ns) AS ns FROM waits_for w JOIN thread t ON t.task = w.other_task
	JOIN thread v ON v.task = w.task, span
	WHERE t.task IN (SELECT task FROM loop) AND v.process <> t.process AND NOT v.own AND NOT v.kernel GROUP BY w.other_task, w.task
	HAVING sum(w.ns) >= coalesce(:client, 0.1) * span.ns),
-- One of several that answer at a port, as a database's processes do: nobody else waits behind what it does for its client.
worker AS MATERIALIZED (
	SELECT r.task, sum(r.queue) AS queue FROM request r JOIN loop USING (task)
	WHERE r.resource IN (SELECT resource FROM request WHERE count GROUP BY resource HAVING count(*) > 1) GROUP BY r.task),
-- Of a process that has several, one that others wait for tells, the one that is held up most.
found AS MATERIALIZED (
	SELECT *, row_number() OVER (PARTITION BY process ORDER BY task IN (SELECT loop FROM client) DESC, ns DESC) AS place FROM (
		SELECT l.* FROM loop l LEFT JOIN total o ON o.task = l.task LEFT JOIN serving v ON v.task = l.task
			LEFT JOIN listening i ON i.task = l.task LEFT JOIN calling c ON c.task = l.task
		WHERE ifnull(v.ns, 0) <= coalesce(:serving, 0.15) * ifnull(o.ns, 0)
			AND NOT EXISTS (SELECT 1 FROM worker w WHERE w.task = l.task AND w.queue <= coalesce(:behind, 0.05) * l.ns)
			AND ((ifnull(i.ns, 0) - ifnull(c.ns, 0)) * 2 <= ifnull(o.ns, 0)
				OR (SELECT v.ns < 0.9 * s.ns FROM service_period v, span s)))) -- calls were not looked at all the time
SELECT iif(l.task IN (SELECT loop FROM client), 'waited', 'none') AS urgency, min(1, l.ns * 1.0 / span.ns) AS impact,
	t.process_comm AS comm, t.pid, printf('%.0f', 100.0 * l.ns / span.ns) AS share, printf('%.0f', l.max / 1e6) AS longest,
	ifnull(b.name, 'one callback') AS function, iif(b.name IS NULL, NULL, 'function') AS resource_kind, b.name AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT * FROM (SELECT json_object('role', 'culprit', 'pid', o.pid, 'tid', o.tid, 'comm', o.comm, 'cgroup', o.cgroup) AS x
			FROM found f JOIN thread o USING (task) WHERE f.process = l.process ORDER BY f.place LIMIT 10)
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', v.pid, 'tid', v.tid, 'comm', v.comm, 'cgroup', v.cgroup)
			FROM client c JOIN thread v USING (task) WHERE c.loop = l.task ORDER BY c.ns DESC LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'held up by bursts of 20 ms and more', 'value', 100.0 * l.ns / span.ns, 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.05)),
		json_object('metric', 'such bursts', 'value', l.count * 1e9 / span.ns, 'unit', '/s'),
		json_object('metric', 'burst p50', 'value', s.p50 / 1e6, 'unit', 'ms'),
		json_object('metric', 'burst max', 'value', l.max / 1e6, 'unit', 'ms', 'threshold', coalesce(:longest, 40)),
		json_object('metric', 'polls', 'value', l.polls * 1e9 / span.ns, 'unit', '/s', 'threshold', coalesce(:rate, 5)),
		json_object('metric', 'of the bursts in ' || ifnull(b.name, 'one function'), 'value', 100 * ifnull(b.share, 0), 'unit', '%',
			'threshold', 100 * coalesce(:function, 0.5))) AS evidence,
	json_array(json_object('role', 'hot', 'metric', 'pause.burst', 'task', l.task, 'function', ifnull(b.name, ''))) AS stacks
FROM found l JOIN thread t ON t.task = l.task JOIN pause_summary s ON s.process = l.process AND s.kind = 'burst'
	LEFT JOIN burst b ON b.task = l.task, span
WHERE l.place = 1 ORDER BY l.ns DESC LIMIT 5;
