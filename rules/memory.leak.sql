-- SPDX-License-Identifier: BSD-2-Clause
-- title: A process's memory grows steadily
-- summary: {what} grows by {rate} a minute{where}: {when}
-- explain: Looks at the private memory of processes that were there before, second by second. It has to grow in each third of
--    the period by about as much, without giving back in between: a start, a cache that fills and a heap that is
--    collected now and then do not. What is given back counts: the stacks are those of pages that have stayed.
--    Nobody waits for memory that grows, so urgency is told by when it will run out: failing within five minutes, else a warning if
--    what there is would be used up within hours, or the process doubles within one. A young process that computes without a
--    pause is a job that builds up its data, a heap of Java or .NET is filled to its limit before it is collected, and who fills a
--    pool that was set aside before (a database's buffers, a large array) stops when it is full, and who grows by what it is sent, as
--    a cache does that fills, keeps it on purpose: they are only mentioned, unless memory runs out at once. Of a Java process that
--    tells it, what its heap holds after each collection is looked at, too. Until the old generation has been collected, that has much that is
--    no longer used: then it counts only if it is a large part of the heap, or of all that the process has made. Shared memory that
--    is mapped anew counts as the process's own. Files in memory (tmpfs) that grow are told of with who is seen writing most of them. Growth that
--    begins within the period has to go on for longer.
-- threshold growth = 1: MiB over the period; less is noise of allocators
-- threshold third = 0.1: of the growth, in each third of the period; an even one has 0.33, heaps grow in steps
-- threshold slower = 0.5: the last third against the first; what slows down more than that is about to end
-- threshold back = 0.1: of the growth, given back within a second; more is a saw tooth
-- threshold soon = 300: seconds until memory runs out; nobody can react to less
-- threshold hours = 6: until memory runs out; a night's sleep
-- threshold double = 3600: seconds in which it doubles
-- threshold stays = 0.1: of the growth, under stacks, before doubling counts; a heap that only moves keeps no page under any
-- threshold small = 4: MiB; below that a process that doubles, or would use memory up within hours, is no more than one that has begun to work
-- threshold small_go = 16: the same of Java, and of Go, which first collects at 4 MiB, and then lets its heap double each time
-- threshold small_ruby = 48: the same of Ruby that has not collected within the period: it does so when it has allocated 16 MiB to 32 MiB
-- threshold small_v8 = 32: the same of Node, which compiles what it runs, and lets its space for new objects grow, as it begins to work
-- threshold small_files = 8: MiB that files in memory grow by in the period; less are locks, sockets and logs that are soon deleted
-- threshold writing = 2: samples, taken while it wrote to such files, before a process is said to; one is chance
-- threshold new_v8 = 48: MiB more for Node that touches memory for new objects above all; so large its space for these gets
-- threshold new_part = 0.7: of the memory that stays, touched by JavaScript itself, before that is said; what lasts is moved by the collector
-- threshold heap_part = 0.05: of the limit of a heap whose old generation has not been collected yet; less is what lived a moment too long
-- threshold made_part = 0.1: or of what was made meanwhile, likewise
-- threshold beside_heap = 256: MiB; so much a virtual machine may need beside what its heap has taken; what grows beyond both
--    is not in the heap
-- threshold young = 300: seconds; compilers and other jobs have ended by then, or have their data; on a crowded machine they take long
-- threshold young_server = 30: the same of who listens or answers requests; one that leaks fast is killed and begins again, and never gets old
-- threshold busy = 0.8: of the period that a thread of a job computes, wants to, waits for what the kernel does, or hands on through a pipe; services wait for requests
-- threshold begun = 4: seconds (slices) that growth has to last if it has begun within the period; work that begins needs memory
-- threshold lasts = 0.4: of the period, likewise; a burst at the end of a long recording is work that begins, too
-- threshold begins = 0.3: of an average second's growth: the first second with so much is where growth begins; what came before is noise
-- threshold set_aside = 0.5: of its private memory that a process has set aside and not touched, before it is said to fill a pool, if
--    it has set nothing aside meanwhile; allocators ask for a quarter more at most
-- threshold sent_least = 0.5: of what it receives over TCP, that it grows by, before it is said to keep that; who grows by less forgets most of it
-- threshold sent_most = 3: likewise; a store needs up to that for a short value with its key, a request that leaks as a rule far more
-- action: {advice}
-- action: Look whether it goes on: perfscope record -d 5m, then perfscope diagnose
-- runbook: memory-leak
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
-- The last slice may be cut short.
whole AS MATERIALIZED (
	SELECT id, end_ns, row_number() OVER (ORDER BY id) - 1 AS place FROM slice
	WHERE 2 * (end_ns - start_ns) >= (SELECT max(end_ns - start_ns) FROM slice)),
-- Who writes most to files in memory. What is touched through a mapping counts as the process's own, or is a pool that it fills.
shared(id, function) AS (
	SELECT s.id, n.name FROM frame_name n CROSS JOIN stack s USING (frame) WHERE n.kind = 'kernel'
		AND n.name IN ('shmem_file_write_iter', 'shmem_write_begin', 'shmem_write_end', 'shmem_fallocate', 'shmem_fault')
	UNION
	SELECT s.id, x.function FROM shared x JOIN stack s ON s.parent = x.id),
shares AS MATERIALIZED (
	SELECT t.process, x.function, sum(c.ns) AS ns, sum(c.count) AS count
	FROM (SELECT id, max(function) AS function FROM shared GROUP BY id) x JOIN cpu_total c ON c.stack = x.id JOIN thread t USING (task)
	WHERE NOT t.kernel GROUP BY t.process, x.function = 'shmem_fault'),
writer AS MATERIALIZED (
	SELECT process, function, max(ns) FROM shares WHERE function <> 'shmem_fault' AND count >= coalesce(:writing, 2)
		AND 2 * ns >= (SELECT sum(ns) FROM shares) AND process NOT IN (SELECT process FROM thread WHERE own)
	HAVING process IS NOT NULL),
-- All that a process has for itself, and (heap) what Java's held after its last collection.
known AS MATERIALIZED (
	SELECT t.process, iif(m.name = 'heap.kept', 'heap', 'private') AS kind, s.slice, sum(s.value) AS bytes FROM sample_level s JOIN metric m ON m.id = s.metric
	JOIN thread t ON t.task = s.task JOIN process p ON p.id = t.process
	WHERE m.name IN ('memory.private', 'heap.kept') AND NOT t.own AND p.end_ns IS NULL
		AND ifnull(p.start_ns, 0) <= (SELECT start_ns FROM period)
	GROUP BY t.process, kind, s.slice
	UNION ALL
	SELECT w.process, 'files', l.slice, l.value FROM writer w JOIN level l ON l.metric = 'memory.shared'),
grown AS MATERIALIZED (
	SELECT process, kind FROM known GROUP BY process, kind HAVING max(bytes) - min(bytes) >= coalesce(:growth, 1) * 1048576),
-- Levels are written when they change.
held AS MATERIALIZED (
	SELECT k.*, lead(k.slice, 1, 1 << 40) OVER (PARTITION BY k.process, k.kind ORDER BY k.slice) AS next
	FROM grown g JOIN known k ON k.process = g.process AND k.kind = g.kind),
level_at AS MATERIALIZED (
	SELECT h.process, h.kind, w.place, w.end_ns, h.bytes
	FROM held h CROSS JOIN slice s ON s.id >= h.slice AND s.id < h.next CROSS JOIN whole w ON w.id = s.id),
step AS MATERIALIZED (
	SELECT *, bytes - lag(bytes) OVER (PARTITION BY process, kind ORDER BY place) AS more,
		max(place) OVER (PARTITION BY process, kind) AS last FROM level_at WHERE bytes IS NOT NULL),
begun AS MATERIALIZED (
	SELECT s.process, s.kind, min(s.place) - 1 AS place FROM step s JOIN (
		SELECT process, kind, sum(more) / count(more) AS even FROM step GROUP BY process, kind) a ON a.process = s.process AND a.kind = s.kind
	WHERE s.more >= coalesce(:begins, 0.3) * a.even GROUP BY s.process, s.kind),
part AS MATERIALIZED (
	SELECT s.process, s.kind, s.end_ns, s.bytes, iif(s.place > b.place, s.more, NULL) AS more, s.place - b.place AS place,
		s.last - b.place AS last, b.place AS waited
	FROM step s JOIN begun b ON b.process = s.process AND b.kind = s.kind AND s.place >= b.place),
third AS MATERIALIZED (
	SELECT process, kind, sum(more) AS growth, max(end_ns) - min(end_ns) AS ns, max(iif(place = last, bytes, 0)) AS bytes,
		min(more) AS least, sum(iif(3 * place <= last, more, 0)) AS first,
		sum(iif(3 * place > last AND 3 * place <= 2 * last, more, 0)) AS second, sum(iif(3 * place > 2 * last, more, 0)) AS third
	FROM part GROUP BY process, kind HAVING count(more) >=
		iif(min(waited) > 0, max(coalesce(:begun, 4), coalesce(:lasts, 0.4) * (max(last) + max(waited))), 3)),
steady AS MATERIALIZED (
	SELECT *, growth * 1e9 / ns AS rate FROM third
	WHERE growth >= coalesce(:growth, 1) * 1048576 AND min(first, second, third) >= coalesce(:third, 0.1) * growth
		AND third >= coalesce(:slower, 0.5) * first AND least >= -coalesce(:back, 0.1) * growth),
-- What its heap says counts for more.
leak AS MATERIALIZED (
	SELECT *, kind = 'heap' AS heap, kind = 'files' AS files FROM (
		SELECT *, row_number() OVER (PARTITION BY process ORDER BY kind = 'files', kind = 'private') AS place FROM steady)
	WHERE place = 1),
heap_has AS MATERIALIZED (
	SELECT t.process, max(iif(m.name = 'heap.limit', s.value, NULL)) AS limit_bytes, max(iif(m.name = 'heap.capacity', s.value, NULL)) AS bytes
	FROM sample_level s JOIN metric m ON m.id = s.metric JOIN task t ON t.id = s.task
	WHERE m.name IN ('heap.limit', 'heap.capacity') GROUP BY t.process),
-- The tightest limit, and what is left of it: the machine's own memory, too.
room AS MATERIALIZED (
	SELECT k.process, k.path, k.of_heap, min(k.left) AS left FROM (
		SELECT x.process, l.resource AS path, 0 AS of_heap, max(l.value) - ifnull((SELECT max(m.value) FROM level m
				WHERE m.metric = 'cgroup.memory' AND m.resource = l.resource), 0) AS left
		FROM leak x JOIN process p ON p.id = x.process JOIN cgroup g ON g.id = p.cgroup
		JOIN level l ON l.metric = 'cgroup.memory_limit' AND l.value > 0
			AND (g.path = l.resource OR substr(g.path, 1, length(l.resource) + 1) = l.resource || '/')
		GROUP BY x.process, l.resource
		UNION ALL
		SELECT process, NULL, 0, (SELECT min(value) FROM level WHERE metric = 'memory.available') FROM leak
		UNION ALL
		SELECT x.process, NULL, 1, h.limit_bytes - x.bytes FROM leak x JOIN heap_has h ON h.process = x.process WHERE x.heap) k
	WHERE k.left IS NOT NULL GROUP BY k.process),
-- One that began as the recording was about to has none but that.
age AS MATERIALIZED (
	SELECT p.id AS process, iif(p.start_ns > 0, (SELECT end_ns FROM period) - p.start_ns, (
		SELECT sum(a.value) FROM sample_level a JOIN metric m ON m.id = a.metric JOIN task t ON t.id = a.task
		WHERE m.name = 'process.age' AND t.process = p.id)) AS age
	FROM process p WHERE p.id IN (SELECT process FROM leak)),
serves AS MATERIALIZED (
	SELECT t.process FROM sample_total s JOIN metric m ON m.id = s.metric JOIN task t ON t.id = s.task
	WHERE m.name IN ('port.queue_limit', 'connection.accepted', 'request.time')),
job AS MATERIALIZED (
	SELECT t.process FROM thread_state s JOIN thread t ON t.task = s.task, span
	WHERE t.process IN (SELECT process FROM leak) AND (s.running + s.runnable + s.disk + ifnull((SELECT sum(w.ns) FROM thread_wait w
			WHERE w.task = s.task AND w.cause = 'ipc'), 0)) >= coalesce(:busy, 0.8) * span.ns
		AND (SELECT age FROM age WHERE age.process = t.process)
			< iif(t.process IN (SELECT process FROM serves), coalesce(:young_server, 30), coalesce(:young, 300)) * 1e9
	UNION
	SELECT m.process FROM mapping m JOIN module o ON o.id = m.module JOIN leak x ON x.process = m.process
	WHERE x.kind = 'private' AND (o.path GLOB '*/libjvm.so*' OR o.path GLOB '*/libcoreclr.so*')
		AND x.bytes < ifnull((SELECT h.bytes + max(coalesce(:beside_heap, 256) * 1048576, 0.1 * h.bytes)
			FROM heap_has h WHERE h.process = x.process), 1 << 62)),
-- What it may write to and has not touched, and whether that is a pool from which it has taken all.
aside AS MATERIALIZED (
	SELECT x.process, max(s.value) - x.bytes AS bytes, x.kind = 'private' AND max(s.value) - min(s.value) < coalesce(:back, 0.1) * x.growth
		AND max(s.value) - x.bytes >= max(x.growth, coalesce(:set_aside, 0.5) * x.bytes) AS pool
	FROM leak x JOIN task t ON t.process = x.process JOIN sample_level s ON s.task = t.id
	WHERE s.metric = (SELECT id FROM metric WHERE name = 'memory.data') GROUP BY x.process),
-- What it was sent while it grew.
received AS MATERIALIZED (
	SELECT x.process, sum(s.value) * x.ns / span.ns AS bytes FROM leak x JOIN task t ON t.process = x.process
	JOIN sample_total s ON s.task = t.id JOIN span
	WHERE s.metric = (SELECT id FROM metric WHERE name = 'connection.received') GROUP BY x.process),
-- What has stayed of the pages that it touched; where faults are not watched, all of it.
stayed AS MATERIALIZED (
	SELECT x.process, iif(EXISTS (SELECT 1 FROM sample_total s WHERE s.metric = (SELECT id FROM metric WHERE name = 'memory.growth')),
		ifnull((SELECT sum(s.value) FROM sample_total s JOIN task t ON t.id = s.task
			WHERE t.process = x.process AND s.metric = (SELECT id FROM metric WHERE name = 'memory.growth')), 0), x.growth) AS bytes
	FROM leak x),
-- Of that in Node, what JavaScript itself touched first: where new objects are made.
touched(process, bytes, id, frame) AS (
	SELECT t.process, s.value, k.parent, k.frame FROM sample_total s JOIN task t ON t.id = s.task JOIN stack k ON k.id = s.stack
	WHERE s.metric = (SELECT id FROM metric WHERE name = 'memory.growth')
		AND t.process IN (SELECT process FROM leak JOIN runtime USING (process) WHERE runtime.name = 'V8')
	UNION ALL
	SELECT t.process, t.bytes, k.parent, k.frame FROM touched t JOIN frame_name n USING (frame) JOIN stack k ON k.id = t.id
	WHERE n.kind = 'kernel'),
made AS MATERIALIZED (
	SELECT t.process, sum(t.bytes) AS bytes FROM touched t JOIN frame_name n USING (frame)
	WHERE n.kind = 'jit' OR n.name GLOB 'Builtins_*' OR n.name GLOB 'v8::internal::Factory*' OR n.name GLOB 'v8::internal::*AllocateRaw*'
	GROUP BY t.process),
-- Of heaps: what they have grown by that may be garbage, as nobody has looked whether it is still used.
collected AS MATERIALIZED (
	SELECT t.process, min(iif(m.name = 'heap.old_collections', s.value, NULL)) AS before,
		max(iif(m.name = 'heap.old_collections', s.value, NULL)) AS after,
		(max(iif(m.name = 'heap.collections', s.value, NULL)) - min(iif(m.name = 'heap.collections', s.value, NULL)))
			* avg(iif(m.name = 'heap.eden', s.value, NULL)) AS made, max(iif(m.name = 'heap.limit', s.value, NULL)) AS most
	FROM sample_level s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE m.name GLOB 'heap.*' AND t.process IN (SELECT process FROM leak WHERE heap) GROUP BY t.process),
unproven AS MATERIALIZED (
	SELECT x.process FROM leak x JOIN collected c ON c.process = x.process
	WHERE c.after = c.before AND NOT (x.growth >= coalesce(:heap_part, 0.05) * c.most
		OR x.growth >= coalesce(:made_part, 0.1) * c.made)),
-- Below that, MiB, memory that is not yet collected looks like a leak.
small AS MATERIALIZED (
	SELECT x.process, CASE WHEN x.files THEN 0 WHEN x.heap OR r.name = 'Go' THEN coalesce(:small_go, 16)
		WHEN r.name = 'V8' THEN coalesce(:small_v8, 32)
			+ iif(n.bytes >= coalesce(:new_part, 0.7) * y.bytes, coalesce(:new_v8, 48), 0)
		WHEN r.name = 'Ruby' AND NOT EXISTS (SELECT 1 FROM sample_total s JOIN task t ON t.id = s.task
			WHERE t.process = x.process AND s.metric = (SELECT id FROM metric WHERE name = 'gc.time')) THEN coalesce(:small_ruby, 48)
		ELSE coalesce(:small, 4) END AS mib
	FROM leak x JOIN stayed y ON y.process = x.process LEFT JOIN runtime r ON r.process = x.process
	LEFT JOIN made n ON n.process = x.process),
judged AS MATERIALIZED (
	SELECT x.*, r.path, r.of_heap, r.left, max(r.left, 0) / x.rate AS full_s, x.bytes / x.rate AS double_s,
		x.process IN (SELECT process FROM job) AS job, x.process IN (SELECT process FROM unproven) AS unproven, ifnull(a.pool, 0) AS pool, a.bytes AS aside, m.mib AS small,
		ifnull(x.growth BETWEEN coalesce(:sent_least, 0.5) * c.bytes AND coalesce(:sent_most, 3) * c.bytes, 0) AS store, c.bytes AS sent,
		x.heap OR y.bytes >= coalesce(:stays, 0.1) * x.growth AS stays, w.function
	FROM leak x JOIN room r ON r.process = x.process JOIN stayed y ON y.process = x.process JOIN small m ON m.process = x.process
	LEFT JOIN aside a ON a.process = x.process LEFT JOIN received c ON c.process = x.process LEFT JOIN writer w ON w.process = x.process
	WHERE NOT x.files OR x.growth >= coalesce(:small_files, 8) * 1048576)
SELECT CASE WHEN full_s < coalesce(:soon, 300) / iif(job OR pool, 10, iif(store, 3, 1)) AND kind = 'private' THEN 'failing'
		WHEN job OR pool OR store OR unproven THEN 'none'
		WHEN j.bytes >= j.small * 1048576 AND (full_s < coalesce(:hours, 6) * 3600 OR (double_s < coalesce(:double, 3600) AND j.stays AND NOT j.files))
			THEN 'waited' ELSE 'none' END AS urgency,
	iif(full_s < coalesce(:soon, 300) AND kind = 'private', 1, min(0.49, max(0.1, 3600 / full_s))) AS impact, p.comm, p.pid,
	iif(j.files, 'what ' || p.comm || ' writes to files in memory (tmpfs)', 'memory of ' || p.comm) AS what,
	iif(j.files, 'See which files they are: findmnt -t tmpfs, then du -ax DIRECTORY | sort -n | tail',
		'See where the memory that stays was taken: perfscope flamegraph --kind memory -p ' || p.pid) AS advice,
	printf('%.1f MiB', j.rate * 60 / 1048576) AS rate, iif(j.path IS NULL, '', ' in ' || j.path) AS "where",
	CASE WHEN pool THEN 'it fills what it has set aside'
		WHEN unproven THEN 'how much of it is still used, a collection of all will tell'
		WHEN store THEN 'it keeps what it is sent'
		WHEN of_heap AND full_s < 120 THEN printf('its heap is full in %.0f seconds', full_s)
		WHEN of_heap AND full_s < 7200 THEN printf('its heap is full in %.0f minutes', full_s / 60)
		WHEN full_s < 7200 THEN printf('memory is used up in %.0f minutes', full_s / 60)
		WHEN double_s < 120 THEN printf('it doubles in %.0f seconds', double_s)
		WHEN double_s < 7200 THEN printf('it doubles in %.0f minutes', double_s / 60)
		ELSE printf('memory is used up in %.0f hours', full_s / 3600) END AS "when",
	iif(j.path IS NULL, 'memory', 'cgroup') AS resource_kind, ifnull(j.path, 'machine') AS resource_name,
	json_array(json_object('role', 'culprit', 'pid', p.pid, 'tid', 0, 'comm', p.comm, 'cgroup', (SELECT path FROM cgroup WHERE id = p.cgroup))) AS affected,
	json_array(
		json_object('metric', CASE j.kind WHEN 'heap' THEN 'growth of what its heap holds after collections' WHEN 'files' THEN 'growth of files in memory'
			ELSE 'growth of private memory' END, 'value', j.rate / 1048576, 'unit', 'MiB/s'),
		json_object('metric', 'grown in the period', 'value', j.growth / 1048576.0, 'unit', 'MiB', 'threshold', coalesce(:growth, 1)),
		json_object('metric', CASE j.kind WHEN 'heap' THEN 'held in its heap' WHEN 'files' THEN 'shared memory and tmpfs' ELSE 'private memory' END, 'value', j.bytes / 1048576.0, 'unit', 'MiB'),
		json_object('metric', 'least of the thirds of the period', 'value', 100.0 * min(j.first, j.second, j.third) / j.growth,
			'unit', '% of the growth', 'threshold', 100 * coalesce(:third, 0.1)),
		json_object('metric', 'set aside, not touched', 'value', max(ifnull(j.aside, 0), 0) / 1048576.0, 'unit', 'MiB'),
		json_object('metric', 'received over TCP meanwhile', 'value', ifnull(j.sent, 0) / 1048576.0, 'unit', 'MiB'),
		json_object('metric', 'until memory is used up', 'value', j.full_s / 60, 'unit', 'min', 'threshold', coalesce(:hours, 6) * 60),
		json_object('metric', 'until it has doubled', 'value', j.double_s / 60, 'unit', 'min', 'threshold', coalesce(:double, 3600) / 60)) AS evidence,
	json_array(iif(j.files, json_object('role', 'culprit', 'metric', 'cpu.time', 'process', j.process, 'function', j.function),
		json_object('role', 'culprit', 'metric', 'memory.growth', 'process', j.process))) AS stacks
FROM judged j JOIN process p ON p.id = j.process
WHERE full_s < coalesce(:hours, 6) * 3600 OR double_s < 24 * coalesce(:double, 3600) ORDER BY full_s LIMIT 5;
