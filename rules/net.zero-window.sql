-- SPDX-License-Identifier: BSD-2-Clause
-- title: A receiver does not read, and the sender stalls
-- summary: {sender} cannot send: {receiver} does not read what it is sent ({where})
-- kind: wait
-- explain: Looks at all TCP sockets, ten times a second while one is in trouble: a sender is stalled when it has data to
--    send, nothing under way, and the window that its receiver grants has no room for a segment. A receiver that takes all
--    the CPU it can to work its input off, and a sender that is a little faster, are a healthy pipe: there the window opens
--    again within milliseconds. So what is not read must also stand for long at the speed at which the receiver takes it. A
--    client that takes its time over an answer, as one that limits its rate, harms nobody but itself while the server goes on
--    with others: it is a warning at the most, and only if a thread of the server is stuck in sending, and either that is the
--    only one, or the client does not just sleep until it wants more. At a Unix socket a thread that sends sleeps until the reader has
--    made room: that counts if it does little else, and the reader does not compute meanwhile. Who asked whom is not known
--    there, so it is a warning at the most.
-- threshold stalled = 0.2: of the period; below that a sender loses little, and a pause of its receiver may be the reason
-- threshold looks = 4: that found it stalled; fewer are chance
-- threshold standing_ms = 40: unread data, divided by the speed at which it is read
-- threshold stuck = 0.2: of the period that a thread of a server is blocked in sending; below that it hardly feels it
-- threshold blocked = 0.5: of the period that a thread sleeps until a Unix socket has room; less is a pipe whose reader is a little slower
-- threshold patient = 0.49: impact of a client that does not read what it asked for, at the most: its server still has others
-- action: See what {receiver} does instead of reading: perfscope flamegraph --kind offcpu -p {receiver_pid}, perfscope threads -p {receiver_pid}
-- action: Read in a thread of its own, or let the sender know how much is wanted; a larger receive buffer only puts it off
-- runbook: network-latency
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
looked AS MATERIALIZED (
	SELECT m.name AS metric, s.task, s.resource, sum(s.count) AS looks, sum(s.value) AS ns
	FROM sample_total s JOIN metric m ON m.id = s.metric
	WHERE m.name IN ('connection.zero_window', 'connection.not_read', 'connection.window_limited')
	GROUP BY m.name, s.task, s.resource),
-- Processes that are both ends of their connections to a service.
with_itself AS MATERIALIZED (
	SELECT DISTINCT e.task, r.name FROM edge_total e JOIN resource r ON r.id = e.resource
	WHERE e.kind = (SELECT id FROM metric WHERE name = 'connection.peer') AND e.task = e.other_task),
-- The sender's side where it is on this host, else the receiver's alone.
connection AS MATERIALIZED (
	SELECT r.id AS resource, r.name, z.task AS sender, n.task AS receiver,
		ifnull(z.ns, n.ns) AS ns, ifnull(z.looks, n.looks) AS looks, w.ns AS limited
	FROM resource r
		LEFT JOIN looked z ON z.resource = r.id AND z.metric = 'connection.zero_window'
		LEFT JOIN looked n ON n.resource = r.id AND n.metric = 'connection.not_read'
			AND (n.task IS NOT z.task OR EXISTS (SELECT 1 FROM with_itself i WHERE i.task = n.task AND r.name GLOB '* -> *'
				AND i.name = substr(r.name, instr(r.name, ' -> ') + 4)))
		LEFT JOIN looked w ON w.resource = r.id AND w.metric = 'connection.window_limited' AND w.task = z.task
	WHERE r.kind = 'connection' AND (z.task IS NOT NULL OR n.task IS NOT NULL)),
read AS MATERIALIZED (
	SELECT t.process, s.resource, sum(s.value) AS bytes
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE m.name = 'connection.received' GROUP BY t.process, s.resource),
unread AS MATERIALIZED (
	SELECT resource, avg(value) AS bytes FROM level WHERE metric = 'connection.unread' GROUP BY resource),
-- A receiver's speed is that of all its connections to a service: so what stands there is that of all, too.
standing AS MATERIALIZED (
	SELECT c.receiver, substr(c.name, instr(c.name, ' -> ')) AS service, sum(u.bytes) AS bytes
	FROM connection c JOIN unread u ON u.resource = c.name WHERE c.receiver IS NOT NULL GROUP BY c.receiver, service),
stalled AS MATERIALIZED (
	SELECT c.*, min(1.0, c.ns * 1.0 / span.ns) AS share, ifnull(u.bytes, 0) AS unread,
		1000 * ifnull((SELECT s.bytes FROM standing s WHERE s.receiver = c.receiver AND s.service = substr(c.name, instr(c.name, ' -> '))), 0)
			/ max(1.0, ifnull(
			(SELECT sum(d.bytes) FROM read d JOIN resource v ON v.id = d.resource
				JOIN thread t ON t.process = d.process AND t.task = c.receiver
				WHERE instr(c.name, v.name)), 0) * 1e9 / span.ns) AS standing_ms
	FROM connection c LEFT JOIN unread u ON u.resource = c.name, span
	WHERE c.ns >= coalesce(:stalled, 0.2) * span.ns AND c.looks >= coalesce(:looks, 4)),
-- What a receiver does not read is one finding, from however many connections; where it is elsewhere, what a sender cannot send.
placed AS MATERIALIZED (
	SELECT s.*, count(*) OVER by_process AS connections, row_number() OVER by_process AS place
	FROM stalled s LEFT JOIN thread a ON a.task = s.sender LEFT JOIN thread b ON b.task = s.receiver
	WHERE (b.task IS NULL OR s.standing_ms >= coalesce(:standing_ms, 40)) AND NOT ifnull(a.own, 0) AND NOT ifnull(b.own, 0)
	WINDOW by_process AS (PARTITION BY b.process, iif(b.process IS NULL, a.process, NULL) ORDER BY s.share DESC
		ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)),
sending(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame) WHERE n.kind = 'kernel' AND n.name = 'sk_stream_wait_memory'
	UNION
	SELECT s.id FROM sending g JOIN stack s ON s.parent = g.id),
-- What the receiver spends its time on, apart from waiting for work, and from sending, where it is the sender, too.
-- A runtime's helpers wait for each other.
doing AS MATERIALIZED (
	SELECT t.process, m.name AS metric, sum(s.value) AS ns
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE (m.name GLOB 'wait.*' OR m.name = 'cpu.time') AND ifnull(s.stack, 0) NOT IN (SELECT id FROM sending)
		AND NOT (m.name = 'wait.lock' AND t.process IN (SELECT process FROM helped))
		AND t.process IN (SELECT process FROM stalled JOIN thread ON thread.task = stalled.receiver)
	GROUP BY t.process, m.name),
-- Is the sender a server that answers at the connection's port (programs of one name may be both ends), and how long is a thread of it blocked in sending?
listens AS MATERIALIZED (
	SELECT DISTINCT th.process, th.process_comm AS comm, substr(r.name, length(rtrim(r.name, '0123456789'))) AS port
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource JOIN thread th ON th.task = s.task
	WHERE m.name = 'port.queue_limit'),
stuck AS MATERIALIZED (
	SELECT process, max(ns) AS ns FROM (
		SELECT t.process, sum(w.ns) AS ns FROM wait_part w JOIN task t ON t.id = w.task
		WHERE w.cause = 'net' AND w.stack IN (SELECT id FROM sending) GROUP BY w.task) GROUP BY process),
judged AS MATERIALIZED (
	SELECT s.*, EXISTS (SELECT 1 FROM listens l JOIN thread a ON a.task = s.sender
			WHERE l.comm = a.process_comm AND l.port = substr(s.name, length(rtrim(s.name, '0123456789'))))
			AND NOT EXISTS (SELECT 1 FROM listens l JOIN thread b ON b.task = s.receiver
				WHERE l.process = b.process AND l.port = substr(s.name, length(rtrim(s.name, '0123456789')))) AS asked_for,
		ifnull((SELECT k.ns >= coalesce(:stuck, 0.2) * span.ns FROM stuck k JOIN thread a ON a.process = k.process
			WHERE a.task = s.sender), 0) AS sticks,
		(SELECT p.threads FROM process_state p JOIN thread a ON a.process = p.process WHERE a.task = s.sender) AS threads,
		(SELECT d.metric FROM doing d JOIN thread b ON b.process = d.process WHERE b.task = s.receiver ORDER BY d.ns DESC LIMIT 1) AS does
	FROM placed s, span WHERE s.place = 1),
-- Who sends to a Unix socket that is full, and whose reading lets it go on.
no_room(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame) JOIN stack p ON p.id = s.parent JOIN frame_name f ON f.frame = p.frame
	WHERE n.kind = 'kernel' AND n.name = 'sock_alloc_send_pskb' AND f.name = 'unix_stream_sendmsg'
	UNION
	SELECT s.id FROM no_room r JOIN stack s ON s.parent = r.id),
blocked AS MATERIALIZED (
	SELECT w.task, sum(w.ns) * 1.0 / span.ns AS share FROM wait_part w, span WHERE w.cause = 'ipc' AND w.stack IN (SELECT id FROM no_room)
	GROUP BY w.task HAVING sum(w.ns) >= coalesce(:blocked, 0.5) * span.ns),
reader AS MATERIALIZED (
	SELECT b.task, min(b.share, 1) AS share, w.other_task AS reader, max(w.ns) FROM blocked b
	JOIN waker_total w ON w.task = b.task AND w.stack IN (SELECT id FROM no_room) AND w.other_task GROUP BY b.task),
slow AS MATERIALIZED (
	SELECT r.*, t.process FROM reader r JOIN thread t ON t.task = r.reader JOIN thread a ON a.task = r.task
	JOIN thread_state s ON s.task = r.reader, span
	WHERE NOT t.own AND NOT t.kernel AND t.process <> a.process AND s.running + s.runnable < 0.5 * span.ns),
by_reader AS MATERIALIZED (
	SELECT process, reader, task, max(share) AS share, count(*) AS senders FROM slow GROUP BY process)
SELECT iif(s.asked_for AND NOT (s.sticks AND (s.threads = 1 OR s.does IS NOT 'wait.poll')), 'none', 'waited') AS urgency,
	iif(s.asked_for, min(s.share, coalesce(:patient, 0.49)), s.share) AS impact, s.name || iif(s.connections > 1, printf(' and %d more', s.connections - 1), '') AS "where",
	coalesce(a.process_comm, 'a sender elsewhere') AS sender, coalesce(b.process_comm, 'the other side') AS receiver,
	coalesce(b.pid, 0) AS receiver_pid, 'connection' AS resource_kind, s.name AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', b.pid, 'tid', 0, 'comm', b.process_comm, 'cgroup', b.cgroup) AS x
		WHERE b.pid IS NOT NULL
		UNION ALL SELECT json_object('role', 'victim', 'pid', a.pid, 'tid', 0, 'comm', a.process_comm, 'cgroup', a.cgroup)
		WHERE a.pid IS NOT NULL AND a.pid IS NOT b.pid)) AS affected,
	json_array(
		json_object('metric', 'time without room in the receiver''s window', 'value', 100 * s.share, 'unit', '%',
			'threshold', 100 * coalesce(:stalled, 0.2)),
		json_object('metric', 'looks that found it so', 'value', s.looks, 'unit', 'count', 'threshold', coalesce(:looks, 4)),
		json_object('metric', 'received but not read', 'value', s.unread / 1024, 'unit', 'KiB'),
		json_object('metric', 'time to read that at the receiver''s speed', 'value', min(s.standing_ms, 1e6), 'unit', 'ms',
			'threshold', coalesce(:standing_ms, 40)),
		json_object('metric', 'time that the window set the sender''s pace', 'value',
			100.0 * ifnull(s.limited, 0) / span.ns, 'unit', '%')) AS evidence,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'metric', d.metric, 'process', d.process) AS x FROM doing d
		WHERE d.process = b.process ORDER BY d.ns DESC LIMIT 1)) AS stacks
FROM span, judged s LEFT JOIN thread a ON a.task = s.sender LEFT JOIN thread b ON b.task = s.receiver
UNION ALL
SELECT iif(h.threads = 1 OR c.cause <> 'poll', 'waited', 'none'), min(r.share, coalesce(:patient, 0.49)),
	'a Unix socket' || iif(r.senders > 1, printf(' and %d more', r.senders - 1), ''), a.process_comm, b.process_comm, b.pid, 'connection', 'a Unix socket',
	json_array(json_object('role', 'culprit', 'pid', b.pid, 'tid', 0, 'comm', b.process_comm, 'cgroup', b.cgroup),
		json_object('role', 'victim', 'pid', a.pid, 'tid', a.tid, 'comm', a.comm, 'cgroup', a.cgroup)),
	json_array(json_object('metric', 'time that the sender sleeps until there is room', 'value', 100 * r.share, 'unit', '%',
		'threshold', 100 * coalesce(:blocked, 0.5))),
	json_array(json_object('role', 'culprit', 'metric', 'wait.' || c.cause, 'process', r.process))
FROM by_reader r JOIN thread a ON a.task = r.task JOIN thread b ON b.task = r.reader JOIN process_state h ON h.process = a.process
	JOIN (SELECT task, cause, max(ns) FROM thread_wait GROUP BY task) c ON c.task = r.reader
ORDER BY impact DESC LIMIT 5;
