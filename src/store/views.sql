-- SPDX-License-Identifier: BSD-2-Clause
-- Readable questions over the tables. Each view names only tables and views above it: a reader that looks at a
-- part of a recording (--from, --to, -p, --cgroup) makes the same views again over the narrowed tables.

-- The recording's length that is looked at.
CREATE VIEW period AS
SELECT min(start_ns) AS start_ns, max(end_ns) AS end_ns, max(end_ns) - min(start_ns) AS ns, min(id) AS first,
	max(id) AS last
FROM slice;

CREATE VIEW thread AS
SELECT t.id AS task, t.tid, t.comm, p.id AS process, p.pid, p.comm AS process_comm, p.command, g.path AS cgroup,
	p.flags & 1 AS kernel, p.flags >> 1 & 1 AS own
FROM task t JOIN process p ON p.id = t.process LEFT JOIN cgroup g ON g.id = p.cgroup;

-- The metrics that are a thread's time, the broad state that each is part of, and why it was blocked, if it was.
-- idle: it waited for work, nobody held it up.
CREATE VIEW time_metric AS
SELECT id AS metric,
	CASE WHEN name IN ('task.runnable', 'task.preempted') THEN 'runnable'
		WHEN name IN ('offcpu.disk', 'offcpu.kernel_lock', 'offcpu.fault', 'offcpu.reclaim', 'offcpu.dirty') THEN 'disk'
		WHEN name IN ('task.running', 'offcpu.stopped') THEN substr(name, instr(name, '.') + 1)
		ELSE 'sleeping' END AS state,
	iif(name GLOB 'offcpu.*', substr(name, 8), NULL) AS cause,
	name IN ('offcpu.sleep', 'offcpu.poll', 'offcpu.child', 'offcpu.signal', 'offcpu.idle') AS idle
FROM metric WHERE name GLOB 'task.*' OR name GLOB 'offcpu.*';

-- What was sampled, added up over the whole period.
CREATE VIEW sample_total AS
SELECT metric, task, stack, resource, sum(count) AS count, sum(value) AS value
FROM sample GROUP BY metric, task, stack, resource;

-- Metrics that are levels, and their samples, slice by slice: the newest says how it is, sums over time mean nothing.
CREATE VIEW level_metric AS
SELECT id AS metric FROM metric
WHERE name IN ('memory.resident', 'memory.private', 'memory.data', 'process.age') OR name GLOB 'open.*' OR name GLOB 'heap.*';

CREATE VIEW sample_level AS
SELECT metric, slice, task, resource, count, value FROM sample WHERE metric IN (SELECT metric FROM level_metric);

-- The table edge added up over the whole period.
CREATE VIEW edge_total AS
SELECT kind, task, stack, resource, other_task, other_stack, sum(count) AS count, sum(ns) AS ns
FROM edge GROUP BY kind, task, stack, resource, other_task, other_stack;

-- Exact time of each thread by metric, ns: slices in which it changed, and whole slices in which it did not.
CREATE VIEW task_time AS
SELECT task, metric, sum(ns) AS ns, sum(count) AS count
FROM (SELECT s.task, s.metric, s.value AS ns, s.count
	FROM sample s JOIN time_metric m ON m.metric = s.metric
	UNION ALL
	SELECT s.task, s.metric, l.end_ns - f.start_ns, 0
	FROM span s JOIN time_metric m ON m.metric = s.metric
	JOIN period p ON s.first <= p.last AND ifnull(s.last, p.last) >= p.first
	JOIN slice f ON f.id = max(s.first, p.first)
	JOIN slice l ON l.id = min(ifnull(s.last, p.last), p.last))
GROUP BY task, metric;

-- Blocked time of each thread by cause, ns.
CREATE VIEW thread_wait AS
SELECT th.task, th.tid, th.comm, th.process, th.pid, th.process_comm, th.cgroup, th.kernel, th.own, c.cause, c.idle, tt.ns
FROM task_time tt JOIN time_metric c ON c.metric = tt.metric JOIN thread th ON th.task = tt.task
WHERE c.cause IS NOT NULL;

-- One row a thread, ns, and a process, summed over its threads: the numbers of the views below.
CREATE VIEW thread_time AS
SELECT tt.task,
	sum(iif(m.state = 'running', tt.ns, 0)) AS running,
	sum(iif(m.state = 'runnable', tt.ns, 0)) AS runnable,
	sum(iif(m.state = 'sleeping', tt.ns, 0)) AS sleeping,
	sum(iif(m.state = 'disk', tt.ns, 0)) AS disk,
	sum(iif(m.state = 'stopped', tt.ns, 0)) AS stopped,
	sum(iif(m.cause IS NOT NULL AND NOT m.idle, tt.ns, 0)) AS held_up,
	sum(iif(m.state = 'running', tt.count, 0)) AS switches,
	sum(iif(m.state = 'runnable', tt.count, 0)) AS preempted
FROM task_time tt JOIN time_metric m ON m.metric = tt.metric
GROUP BY tt.task;

CREATE VIEW process_time AS
SELECT t.process, count(*) AS threads, sum(x.running) AS running, sum(x.runnable) AS runnable, sum(x.sleeping) AS sleeping,
	sum(x.disk) AS disk, sum(x.stopped) AS stopped, sum(x.held_up) AS held_up, sum(x.switches) AS switches,
	sum(x.preempted) AS preempted, max(x.running) AS max_thread
FROM thread_time x JOIN task t ON t.id = x.task
GROUP BY t.process;

-- One row a thread, ns. runnable is the wait for a CPU; disk every uninterruptible wait; sleeping the others;
-- held_up the blocked time in which it did not wait for work.
CREATE VIEW thread_state AS
SELECT th.task, th.tid, th.comm, th.process, th.pid, th.process_comm, th.cgroup, th.kernel, th.own,
	x.running, x.runnable, x.sleeping, x.disk, x.stopped, x.held_up, x.switches, x.preempted
FROM thread_time x JOIN thread th ON th.task = x.task;

-- One row a process, ns summed over its threads; max_thread is the busiest thread's running time.
CREATE VIEW process_state AS
SELECT p.id AS process, p.pid, p.comm, p.command, g.path AS cgroup, p.flags & 1 AS kernel, p.flags >> 1 & 1 AS own,
	x.threads, x.running, x.runnable, x.sleeping, x.disk, x.stopped, x.held_up, x.switches, x.preempted, x.max_thread
FROM process_time x JOIN process p ON p.id = x.process LEFT JOIN cgroup g ON g.id = p.cgroup;

-- Drawn waits and who ended them, from where; other_task NULL: an interrupt or a timer.
CREATE VIEW waker AS
SELECT e.slice, e.task, e.stack, e.resource, e.other_task, e.other_stack, e.count, e.ns
FROM edge e JOIN metric m ON m.id = e.kind WHERE m.name = 'waker';

-- The same added up over the whole period.
CREATE VIEW waker_total AS
SELECT e.task, e.stack, e.resource, e.other_task, e.other_stack, e.count, e.ns
FROM metric m JOIN edge_total e ON e.kind = m.id WHERE m.name = 'waker';

-- Who waited for whom: sleeps of `task` that `other_task` ended by waking it, ns. Only each thread's heaviest few wakers are
-- known. A wake-up out of an interrupt looks the same when it comes while a thread is in a system call, but not in the
-- stacks of drawn waits: who is in none of them as a thread's waker, though others are, has not woken it.
CREATE VIEW woken_by AS
SELECT e.task, e.other_task, e.count, e.ns
FROM (SELECT e.task, e.other_task, sum(e.count) AS count, sum(e.ns) AS ns
	FROM metric m JOIN edge_total e ON e.kind = m.id WHERE m.name = 'wake' AND e.other_task IS NOT NULL
	GROUP BY e.task, e.other_task) e
	LEFT JOIN (SELECT DISTINCT task FROM waker_total) d ON d.task = e.task
	LEFT JOIN (SELECT DISTINCT task, other_task FROM waker_total) w ON w.task = e.task AND w.other_task = e.other_task
WHERE d.task IS NULL OR w.task IS NOT NULL;

-- Calls by the thread that called and service, and a thread that answers there, if it is on this host.
CREATE VIEW call AS
SELECT e.task, e.resource, max(e.other_task) AS other_task, sum(e.count) AS count, sum(e.ns) AS ns
FROM metric m JOIN edge_total e ON e.kind = m.id WHERE m.name = 'service.call'
GROUP BY e.task, e.resource;

-- The same without those who are ahead, as who writes into a pipe faster than its reader reads is not held up by that; without
-- the next stage of a pipeline: a reader of a pipe whose writer is another program of the same job, and gets nothing back from
-- it; without who waits for one that it has forked, but asks it nothing as a client, if nobody waits for itself; and without services that
-- wait for their client's next request.
CREATE VIEW waits_for AS
WITH RECURSIVE pipe_frame AS MATERIALIZED (
	SELECT f.id AS frame, y.name GLOB '*pipe_write' OR y.name = 'pipe_wait_writable' AS writes
	FROM frame f JOIN module m ON m.id = f.module JOIN symbol y ON y.id = f.symbol
	WHERE m.kind = 'kernel' AND (y.name GLOB '*pipe_write' OR y.name GLOB '*pipe_read' OR y.name GLOB 'pipe_wait_*able')),
pipe(stack, writes) AS (
	SELECT s.id, f.writes FROM pipe_frame f CROSS JOIN stack s USING (frame)
	UNION
	SELECT s.id, p.writes FROM pipe p JOIN stack s ON s.parent = p.stack),
drawn AS MATERIALIZED (
	SELECT w.task, w.other_task, sum(iif(p.writes, w.ns, 0)) AS ahead, sum(iif(p.writes = 0, w.ns, 0)) AS reads, sum(w.ns) AS ns
	FROM waker_total w LEFT JOIN pipe p USING (stack) GROUP BY w.task, w.other_task),
piped AS MATERIALIZED (
	SELECT d.task, d.other_task, d.reads AS ns, a.process, b.process AS other FROM drawn d JOIN task a ON a.id = d.task JOIN task b ON b.id = d.other_task
	WHERE d.reads * 2 >= d.ns),
next_stage AS MATERIALIZED (
	SELECT d.task, d.other_task FROM piped d JOIN process p ON p.id = d.process JOIN process q ON q.id = d.other
	WHERE (p.ppid = q.ppid OR p.pid = q.ppid) AND p.command IS NOT q.command
		AND NOT EXISTS (SELECT 1 FROM piped b WHERE b.process = d.other AND b.other = d.process AND b.ns * 10 >= d.ns)),
missed AS MATERIALIZED (
	SELECT o.process FROM woken_by w JOIN task o ON o.id = w.other_task JOIN process y ON y.id = o.process
		JOIN task t ON t.id = w.task JOIN process x ON x.id = t.process
	WHERE x.id <> y.id AND x.ppid IS NOT y.pid GROUP BY o.process HAVING sum(w.ns) * 10 >= (SELECT ns FROM period)),
calls AS MATERIALIZED (
	SELECT DISTINCT a.process AS client, b.process AS server FROM call c JOIN task a ON a.id = c.task JOIN task b ON b.id = c.other_task
	WHERE a.process <> b.process),
serves AS MATERIALIZED (
	SELECT server, client FROM calls EXCEPT SELECT client, server FROM calls)
SELECT b.task, b.other_task, b.count, b.ns
FROM woken_by b JOIN task a ON a.id = b.task JOIN task o ON o.id = b.other_task
	JOIN process p ON p.id = a.process JOIN process q ON q.id = o.process
	LEFT JOIN serves v ON v.server = a.process AND v.client = o.process
	LEFT JOIN calls c ON c.client = a.process AND c.server = o.process
	LEFT JOIN drawn w ON w.task = b.task AND w.other_task = b.other_task
	LEFT JOIN next_stage n ON n.task = b.task AND n.other_task = b.other_task
WHERE n.task IS NULL AND v.server IS NULL AND (q.ppid IS NOT p.pid OR c.server OR p.id IN (SELECT process FROM missed))
	AND (w.ns IS NULL OR w.ahead * 2 < w.ns);

-- Blocked time by stack (metrics wait.*), ns: drawn waits, scaled to about what thread_wait says exactly. wait_part has several
-- rows for what wait_stack adds up, and is quick where one cause is wanted.
CREATE VIEW wait_part AS
SELECT s.task, substr(m.name, 6) AS cause, s.stack, s.resource, s.count, s.value AS ns
FROM metric m JOIN sample_total s ON s.metric = m.id WHERE m.name GLOB 'wait.*'
UNION ALL
SELECT s.task, substr(m.name, 6), s.stack, s.resource, 0, l.end_ns - f.start_ns
FROM metric m JOIN span s ON s.metric = m.id
JOIN period p ON s.first <= p.last AND ifnull(s.last, p.last) >= p.first
JOIN slice f ON f.id = max(s.first, p.first)
JOIN slice l ON l.id = min(ifnull(s.last, p.last), p.last)
WHERE m.name GLOB 'wait.*';

CREATE VIEW wait_stack AS
SELECT task, cause, stack, resource, sum(count) AS count, sum(ns) AS ns FROM wait_part GROUP BY task, cause, stack, resource;

-- What `other_task` did at `other_stack` while `task` waited at `stack` for it to end that wait, ns: it ran, or waited itself.
CREATE VIEW waker_did AS
SELECT e.slice, e.task, e.stack, e.resource, e.other_task, e.other_stack, m.name = 'waker.run' AS ran, e.count, e.ns
FROM edge e JOIN metric m ON m.id = e.kind WHERE m.name IN ('waker.run', 'waker.wait');

-- The same added up over the whole period.
CREATE VIEW waker_did_total AS
SELECT e.task, e.stack, e.resource, e.other_task, e.other_stack, m.name = 'waker.run' AS ran, e.count, e.ns
FROM metric m JOIN edge_total e ON e.kind = m.id WHERE m.name IN ('waker.run', 'waker.wait');

-- How long `other_task` waited for a CPU while `task` waited at `stack` for it, ns.
CREATE VIEW waker_queued AS
SELECT e.slice, e.task, e.stack, e.resource, e.other_task, e.count, e.ns
FROM edge e JOIN metric m ON m.id = e.kind WHERE m.name = 'waker.queue';

-- CPU samples: where (stack) each thread spent its CPU time, ns.
CREATE VIEW cpu_sample AS
SELECT s.slice, s.task, s.stack, s.count, s.value AS ns
FROM sample s JOIN metric m ON m.id = s.metric WHERE m.name = 'cpu.time';

-- The same added up over the whole period.
CREATE VIEW cpu_total AS
SELECT s.task, s.stack, s.count, s.value AS ns
FROM metric m JOIN sample_total s ON s.metric = m.id WHERE m.name = 'cpu.time';

-- A frame's function and where it is; symbol's name, else [module+0xoffset].
CREATE VIEW frame_name AS
SELECT f.id AS frame, m.kind, m.path AS module, f.address, f.symbol,
	ifnull(y.name, '[' || trim(replace(m.path, rtrim(m.path, replace(m.path, '/', '')), ''), '[]') || '+0x' ||
		printf('%x', f.address) || ']') AS name,
	y.file, f.line
FROM frame f JOIN module m ON m.id = f.module LEFT JOIN symbol y ON y.id = f.symbol;

-- Functions of programs, and how much each says about whose work is done (rank): 4 a program's own in a language that is interpreted or
-- compiled as it runs, 3 of a library that was installed for it, 2 of the language's own library; 1 machine code, 0 that of a
-- language's interpreter or runtime. The C library's, and code made at run time without a name, are not there.
CREATE VIEW code_frame AS
WITH place AS MATERIALIZED ( -- what the file alone says
	SELECT id, kind, CASE
			WHEN kind = 'python' THEN CASE WHEN path GLOB '*/site-packages/*' OR path GLOB '*/dist-packages/*' THEN 3
				WHEN path GLOB '*/lib/python[23].[0-9]*/*' OR path GLOB '<frozen *' THEN 2 ELSE 4 END
			WHEN kind = 'elf' AND (file = 'libjvm.so' OR file GLOB 'python[23]*' OR file GLOB 'libpython*' OR file GLOB 'ruby*'
				OR file GLOB 'libruby*' OR file GLOB 'php[0-9]*' OR file = 'perl' OR file GLOB 'libperl*' OR file GLOB 'lua*'
				OR file GLOB 'liblua*' OR file = 'beam.smp' OR file GLOB 'libstdc++*') THEN 0 END AS rank
	FROM (SELECT id, kind, path, replace(path, rtrim(path, replace(path, '/', '')), '') AS file FROM module)
	WHERE kind IN ('python', 'jit') OR kind = 'elf' AND path NOT GLOB '*/libc.so*' AND path NOT GLOB '*/libc-*'
		AND path NOT GLOB '*/libpthread*' AND path NOT GLOB '*/ld-linux*')
SELECT n.frame, n.name, n.kind, n.module, CASE
		WHEN p.rank IS NOT NULL THEN p.rank
		WHEN p.kind = 'jit' THEN CASE WHEN n.name GLOB '*/node_modules/*' THEN 3
			WHEN n.name GLOB '* node:*' OR n.name GLOB 'RegExp:*' OR n.name GLOB '*[[]System.*'
				OR n.name GLOB 'java.*' OR n.name GLOB 'javax.*' OR n.name GLOB 'jdk.*' OR n.name GLOB 'sun.*' OR n.name GLOB 'com.sun.*'
				OR n.name GLOB 'Ljava/*' OR n.name GLOB 'Ljavax/*' OR n.name GLOB 'Ljdk/*' OR n.name GLOB 'Lsun/*' OR n.name GLOB 'Lcom/sun/*' THEN 2 ELSE 4 END
		WHEN n.name GLOB 'std::*' OR n.name GLOB '<std::*' OR n.name GLOB 'core::*' OR n.name GLOB '<core::*' OR n.name GLOB 'alloc::*' OR n.name GLOB '<alloc::*'
			OR n.name GLOB 'runtime.*' OR n.name GLOB 'sync.*' OR n.name GLOB 'internal/*' OR n.name GLOB 'syscall.*' THEN 0
		ELSE 1 END AS rank
FROM frame f CROSS JOIN place p ON p.id = f.module CROSS JOIN frame_name n ON n.frame = f.id
WHERE (p.kind <> 'jit' OR f.symbol IS NOT NULL) AND (p.kind <> 'elf' OR n.name <> '_start');

-- Functions that may speak for a stack: those that belong neither to the kernel, nor to the C library, nor to a lock or an allocator.
CREATE VIEW speaking_frame AS
SELECT frame, name, kind = 'python' AS python FROM frame_name
WHERE kind IN ('elf', 'jit', 'python') AND module NOT GLOB '*/libc.so*' AND module NOT GLOB '*/libc-*'
	AND module NOT GLOB '*/libpthread*' AND module NOT GLOB '*/ld-linux*' AND module NOT GLOB '*/libstdc++*'
	AND module NOT GLOB '*/lib*alloc*.so*' AND name NOT GLOB '*mutex*lock*' AND name NOT GLOB '*rwlock*lock*'
	AND name NOT GLOB '*lll_lock*' AND name NOT GLOB '*[mc]alloc' AND name NOT GLOB 'operator new*' AND name <> '_start';

-- The one that does: the nearest to the stack's leaf; of Python the nearest of its own. path: that one, who called it, and who
-- called that.
CREATE VIEW stack_speaker AS
WITH RECURSIVE speaker AS MATERIALIZED (SELECT * FROM speaking_frame),
down(stack, python, function, caller, outer) AS (
	SELECT s.id, ifnull(k.python, 0), k.name, NULL, NULL FROM stack s LEFT JOIN speaker k USING (frame) WHERE s.parent IS NULL
	UNION ALL
	SELECT s.id, max(d.python, ifnull(k.python, 0)), CASE WHEN k.name IS NULL OR k.python < d.python THEN d.function ELSE k.name END,
		CASE WHEN k.name IS NULL OR k.python < d.python THEN d.caller WHEN k.python = d.python THEN d.function END,
		CASE WHEN k.name IS NULL OR k.python < d.python THEN d.outer WHEN k.python = d.python THEN d.caller END
	FROM down d JOIN stack s ON s.parent = d.stack LEFT JOIN speaker k USING (frame))
SELECT stack, function, function || ifnull(' < ' || caller, '') || ifnull(' < ' || outer, '') AS path FROM down;

-- Stacks through a call that returns only when data is on the disk: `function` is the kernel's, `call` the system call, "write"
-- (to a file that was opened so, and io_uring's), or "journal" (waiting for a commit of the file system). Of those, the first.
CREATE VIEW sync_stack AS
WITH RECURSIVE sync_frame AS MATERIALIZED (
	SELECT frame, name, CASE WHEN name GLOB '*_sys_*' THEN substr(name, instr(name, '_sys_') + 5)
			WHEN name = 'io_fsync' THEN 'fsync'
			WHEN name GLOB '*fsync*' OR name GLOB '*_sync_file' THEN 'write' ELSE 'journal' END AS call,
		CASE WHEN name GLOB '*_sys_*' OR name = 'io_fsync' THEN 0 WHEN name GLOB '*fsync*' OR name GLOB '*_sync_file' THEN 1 ELSE 2 END AS place
	FROM frame_name WHERE kind = 'kernel' AND (name GLOB '*_sys_fsync' OR name GLOB '*_sys_fdatasync'
		OR name GLOB '*_sys_msync' OR name GLOB '*_sys_sync_file_range*' OR name GLOB '*_sys_sync' OR name GLOB '*_sys_syncfs'
		OR name = 'vfs_fsync_range' OR name GLOB '*_fsync' OR name GLOB '*_sync_file'
		OR name GLOB 'jbd2_log_wait_commit*' OR name GLOB 'jbd2_complete_transaction*'
		OR name GLOB 'wait_transaction_*' OR name GLOB 'add_transaction_credits*' OR name GLOB '__jbd2_log_wait_for_space*'
		OR name GLOB 'xfs_log_force*' OR name GLOB 'xlog_wait_on_iclog*' OR name GLOB 'xlog_grant_head_wait*'
		OR name GLOB 'btrfs_sync_log*' OR name GLOB 'btrfs_commit_transaction*')),
inside(id, name, call, place) AS (
	SELECT s.id, f.name, f.call, f.place FROM sync_frame f CROSS JOIN stack s USING (frame)
	UNION
	SELECT s.id, i.name, i.call, i.place FROM inside i JOIN stack s ON s.parent = i.id)
SELECT id, name AS function, call, min(place) AS place FROM inside GROUP BY id;

-- Waits in such calls, ns; resource: the file, where there is one.
CREATE VIEW sync_wait AS
SELECT w.task, w.stack, s.function, s.call, r.id AS resource, w.count, w.ns
FROM wait_stack w JOIN sync_stack s ON s.id = w.stack LEFT JOIN resource r ON r.id = w.resource AND r.kind = 'file'
WHERE w.cause IN ('disk', 'dirty', 'kernel_lock', 'other');

-- Blocked time on locks and the like, ns. kind: "lock"; "condition", "semaphore" and "other" (a barrier, a join) are mostly
-- waited on for work; "" is not known.
CREATE VIEW lock_wait AS
WITH RECURSIVE kind AS MATERIALIZED (
	SELECT frame, kind = 'python' AS python, CASE
			WHEN kind = 'python' THEN CASE WHEN name GLOB '*join*' THEN 'other' WHEN name GLOB '*wait*' THEN 'condition' END
			WHEN kind = 'kernel' THEN CASE WHEN name GLOB '*lock_inode_wait' OR name GLOB 'fcntl_setlk*' THEN 'lock'
				WHEN name GLOB '*semtimedop' THEN 'semaphore' END
			WHEN name GLOB '*cond_*wait*' THEN 'condition' WHEN name GLOB '*sem_*wait*' THEN 'semaphore'
			WHEN name GLOB '*barrier_wait*' OR name GLOB '*join*' THEN 'other'
			WHEN name GLOB 'PyThread_acquire_lock*' OR name GLOB '*mutex*lock*' OR name GLOB '*Mutex*[lL]ock*'
				OR name GLOB '*rwlock*lock*' OR name GLOB '*lll_lock*' OR name GLOB '*ObjectMonitor::enter*' THEN 'lock' END AS kind,
		name GLOB 'PyThread_acquire_lock*' AS semaphored
	FROM frame_name WHERE kind IN ('elf', 'jit', 'kernel') OR kind = 'python' AND module GLOB '*/threading.py'),
waited AS MATERIALIZED (SELECT * FROM wait_stack WHERE cause = 'lock'),
up(leaf, frame, parent, up) AS (
	SELECT s.id, s.frame, s.parent, 0 FROM stack s WHERE s.id IN (SELECT stack FROM waited)
	UNION ALL
	SELECT u.leaf, s.frame, s.parent, u.up + 1 FROM up u JOIN stack s ON s.id = u.parent WHERE u.up < 64),
-- The nearest to the leaf says it; Python makes its conditions of locks, and its locks of semaphores.
named AS MATERIALIZED (
	SELECT u.leaf, k.kind, min(u.up + iif(k.python, 0, iif(k.semaphored, 64, 128)))
	FROM up u JOIN kind k USING (frame) WHERE k.kind IS NOT NULL GROUP BY u.leaf)
SELECT w.task, w.stack, w.resource, ifnull(n.kind, '') AS kind, w.count, w.ns FROM waited w LEFT JOIN named n ON n.leaf = w.stack;

-- Time lost to locks of the kernel by task and stack, ns: blocked (spins 0), or on a CPU until the holder lets go (spins 1,
-- samples). taker is the function that wants the lock, call the system call that it is part of. space: it is the lock of
-- an address space. Which lock it spins for is not known: the one that the same function of the process waits for most.
CREATE VIEW kernel_lock_wait AS
WITH RECURSIVE kernel_frame AS MATERIALIZED (SELECT frame, name FROM frame_name WHERE kind = 'kernel'),
primitive AS MATERIALIZED (
	SELECT frame FROM kernel_frame
	WHERE name GLOB '*schedule*' OR name GLOB 'finish_task_switch*' OR name GLOB '*rwsem*' OR name GLOB 'down_*' OR name GLOB '__down*'
		OR name = 'down' OR name GLOB '*mutex_*lock*' OR name GLOB '*mutex_spin*' OR name GLOB '*percpu_down*' OR name = 'osq_lock'
		OR name GLOB '*queued_*lock*' OR name GLOB '*raw_*lock*' OR name GLOB '*spin_lock*' OR name GLOB 'rtlock*'
		OR name GLOB 'mmap_*_lock*' OR name GLOB '*madvise_lock*' OR name GLOB 'inode_lock*'),
spinning(id) AS (
	SELECT s.id FROM kernel_frame k CROSS JOIN stack s USING (frame)
	WHERE k.name IN ('rwsem_spin_on_owner', 'rwsem_optimistic_spin', 'mutex_spin_on_owner', 'mutex_optimistic_spin', 'osq_lock')
		OR k.name GLOB '*queued_*_lock_slowpath'
	UNION
	SELECT s.id FROM spinning y JOIN stack s ON s.parent = y.id),
part AS MATERIALIZED (
	SELECT task, stack, resource, 0 AS spins, sum(count) AS count, sum(ns) AS ns FROM wait_part WHERE cause = 'kernel_lock'
	GROUP BY task, stack, resource HAVING sum(ns) > 0
	UNION ALL
	SELECT task, stack, NULL, 1, count, value FROM sample_total
	WHERE metric = (SELECT id FROM metric WHERE name = 'cpu.time') AND stack IN spinning),
walk(leaf, frame, parent, up) AS (
	SELECT s.id, s.frame, s.parent, 0 FROM stack s WHERE s.id IN (SELECT stack FROM part)
	UNION ALL
	SELECT w.leaf, s.frame, s.parent, w.up + 1 FROM walk w JOIN stack s ON s.id = w.parent
	WHERE w.frame IN (SELECT frame FROM kernel_frame)),
-- What lies below the lock's own code in a sample is an interrupt.
above AS MATERIALIZED (
	SELECT leaf, ifnull(max(iif(frame IN (SELECT frame FROM primitive), up, NULL)) + 1, 0) AS up FROM walk GROUP BY leaf),
taker AS MATERIALIZED (
	SELECT w.leaf, k.name FROM walk w JOIN above a ON a.leaf = w.leaf AND a.up = w.up JOIN kernel_frame k ON k.frame = w.frame),
-- The one nearest to the root. x64_sys_call calls them all: it is one only where the compiler has left no frame of the call itself.
call AS MATERIALIZED (
	SELECT w.leaf, CASE WHEN k.name = 'x64_sys_call' THEN 'a system call' WHEN k.name GLOB '*_sys_*' THEN substr(k.name, instr(k.name, '_sys_') + 5)
			WHEN k.name = 'vm_mmap_pgoff' THEN 'mmap' ELSE 'page fault' END AS name,
		max(iif(k.name = 'x64_sys_call', -1, w.up))
	FROM walk w JOIN kernel_frame k USING (frame)
	WHERE k.name GLOB '*_sys_*' OR k.name IN ('vm_mmap_pgoff', 'asm_exc_page_fault', 'do_page_fault', 'do_mem_abort')
	GROUP BY w.leaf),
named AS MATERIALIZED (
	SELECT p.*, t.process, k.name AS taker, c.name AS call
	FROM part p JOIN task t ON t.id = p.task LEFT JOIN taker k ON k.leaf = p.stack LEFT JOIN call c ON c.leaf = p.stack),
usual AS MATERIALIZED (
	SELECT process, taker, resource, max(ns) FROM (
		SELECT process, taker, resource, sum(ns) AS ns FROM named WHERE NOT spins AND resource GROUP BY process, taker, resource)
	GROUP BY process, taker)
SELECT n.task, n.stack, ifnull(n.resource, u.resource) AS resource, n.spins, n.taker, n.call,
	ifnull(r.kind = 'address space', 0) OR ifnull(n.taker IN ('lock_mm_and_find_vma', 'exc_page_fault', 'do_user_addr_fault',
		'vm_mmap_pgoff', '__vm_munmap', 'do_mprotect_pkey', 'do_madvise', '__do_sys_brk', '__x64_sys_brk', '__do_sys_mremap',
		'do_mlock', 'mm_populate', '__mm_populate'), 0) AS space,
	n.count, n.ns
FROM named n LEFT JOIN usual u ON n.spins AND u.process = n.process AND u.taker = n.taker
	LEFT JOIN resource r ON r.id = ifnull(n.resource, u.resource);

-- Latency histograms: `count` events took low_ns to high_ns. Buckets are an eighth of a power of two wide.
CREATE VIEW latency AS
SELECT h.slice, m.name AS metric, r.kind AS resource_kind, r.name AS resource, h.bucket, h.count,
	iif(h.bucket < 8, h.bucket, (8 + h.bucket % 8) << (h.bucket / 8 - 1)) AS low_ns,
	iif(h.bucket < 7, h.bucket + 1, (8 + (h.bucket + 1) % 8) << ((h.bucket + 1) / 8 - 1)) AS high_ns
FROM histogram h JOIN metric m ON m.id = h.metric LEFT JOIN resource r ON r.id = h.resource;

-- The table histogram added up over the whole period, and the same as readable rows.
CREATE VIEW histogram_total AS
SELECT metric, resource, bucket, sum(count) AS count FROM histogram GROUP BY metric, resource, bucket;

CREATE VIEW latency_total AS
SELECT m.name AS metric, r.kind AS resource_kind, r.name AS resource, h.resource AS resource_id, h.bucket, h.count,
	iif(h.bucket < 8, h.bucket, (8 + h.bucket % 8) << (h.bucket / 8 - 1)) AS low_ns,
	iif(h.bucket < 7, h.bucket + 1, (8 + (h.bucket + 1) % 8) << ((h.bucket + 1) / 8 - 1)) AS high_ns
FROM histogram_total h
JOIN metric m ON m.id = h.metric LEFT JOIN resource r ON r.id = h.resource;

-- Quantiles and the largest (upper ends of their buckets) by metric and resource, over the whole period, ns.
CREATE VIEW latency_summary AS
SELECT metric, resource_kind, resource, total AS count,
	min(iif(running >= 0.5 * total, high_ns, NULL)) AS p50,
	min(iif(running >= 0.9 * total, high_ns, NULL)) AS p90,
	min(iif(running >= 0.99 * total, high_ns, NULL)) AS p99,
	max(high_ns) AS max
FROM (SELECT metric, resource_kind, resource, high_ns,
		sum(count) OVER (PARTITION BY metric, resource_kind, resource ORDER BY bucket) AS running,
		sum(count) OVER (PARTITION BY metric, resource_kind, resource) AS total
	FROM latency_total)
GROUP BY metric, resource_kind, resource;

-- The same by the resource itself, of which several may have one name, with the counts in steps of four times: below 1 us, below
-- 4 us, ..., below 4.3 s, and longer.
CREATE VIEW latency_shape AS
SELECT metric, resource, total AS count, min(iif(running >= 0.5 * total, high_ns, NULL)) AS p50,
	min(iif(running >= 0.9 * total, high_ns, NULL)) AS p90, min(iif(running >= 0.99 * total, high_ns, NULL)) AS p99, max(high_ns) AS max,
	json_array(sum(iif(step = 0, count, 0)), sum(iif(step = 1, count, 0)), sum(iif(step = 2, count, 0)),
		sum(iif(step = 3, count, 0)), sum(iif(step = 4, count, 0)), sum(iif(step = 5, count, 0)), sum(iif(step = 6, count, 0)),
		sum(iif(step = 7, count, 0)), sum(iif(step = 8, count, 0)), sum(iif(step = 9, count, 0)), sum(iif(step = 10, count, 0)),
		sum(iif(step = 11, count, 0)), sum(iif(step = 12, count, 0))) AS histogram
FROM (SELECT metric, resource_id AS resource, high_ns, count, max(0, min(12, (bucket - 48) / 16)) AS step,
		sum(count) OVER (PARTITION BY metric, resource_id ORDER BY bucket) AS running,
		sum(count) OVER (PARTITION BY metric, resource_id) AS total
	FROM latency_total)
GROUP BY metric, resource;

-- The table gauge, and the same as readable rows.
CREATE VIEW gauge_row AS
SELECT metric, slice, resource, value FROM gauge;

CREATE VIEW level AS
SELECT g.slice, m.name AS metric, m.unit, r.kind AS resource_kind, r.name AS resource, g.value
FROM gauge_row g JOIN metric m ON m.id = g.metric LEFT JOIN resource r ON r.id = g.resource;

-- Of the period, the time in which services were watched: --max-overhead may have turned that off.
CREATE VIEW service_period AS
WITH share AS MATERIALIZED (SELECT slice, value FROM level WHERE metric = 'governor.share' AND resource = 'services')
SELECT sum((s.end_ns - s.start_ns) * ifnull(h.value, 1)) AS ns FROM slice s LEFT JOIN share h ON h.slice = s.id;

-- How each CPU spent its time, percent; irq holds hardware and software interrupts.
CREATE VIEW cpu_share AS
SELECT cpu, user, system, irq, steal, iowait, idle, 100 - idle - iowait AS busy
FROM (SELECT cpu, 100 * sum(iif(metric IN ('cpu.user', 'cpu.nice'), part, 0)) / sum(part) AS user,
		100 * sum(iif(metric = 'cpu.system', part, 0)) / sum(part) AS system,
		100 * sum(iif(metric IN ('cpu.irq', 'cpu.softirq'), part, 0)) / sum(part) AS irq,
		100 * sum(iif(metric = 'cpu.steal', part, 0)) / sum(part) AS steal,
		100 * sum(iif(metric = 'cpu.iowait', part, 0)) / sum(part) AS iowait,
		100 * sum(iif(metric = 'cpu.idle', part, 0)) / sum(part) AS idle
	FROM (SELECT g.resource AS cpu, g.metric, g.value * (s.end_ns - s.start_ns) AS part
		FROM level g JOIN slice s ON s.id = g.slice WHERE g.resource_kind = 'cpu' AND g.metric GLOB 'cpu.*')
	GROUP BY cpu);

-- The runtime that runs a process's program, where its files or functions tell.
CREATE VIEW runtime AS
WITH told AS MATERIALIZED (
	SELECT id, CASE WHEN path GLOB '*/libjvm.so' THEN 'HotSpot'
			WHEN path GLOB '*/node' OR path GLOB '*/nodejs' OR path GLOB '*/libnode.so*' THEN 'V8'
			WHEN path GLOB '*/libcoreclr.so' THEN '.NET'
			WHEN path GLOB '*/beam.smp' THEN 'BEAM'
			WHEN path GLOB '*/ruby' OR path GLOB '*/ruby[0-9]*' OR path GLOB '*/libruby*' THEN 'Ruby'
			WHEN path GLOB '*/python[23]' OR path GLOB '*/python[23].*' OR path GLOB '*/libpython[23]*' THEN 'CPython'
			WHEN id IN (SELECT module FROM symbol WHERE name IN ('runtime.mcall', 'runtime.schedule', 'runtime.mstart',
				'runtime.findRunnable', 'runtime.findrunnable', 'runtime.main')) THEN 'Go' END AS name
	FROM module)
SELECT p.process, min(t.name) AS name FROM mapping p CROSS JOIN told t ON t.id = p.module WHERE t.name IS NOT NULL GROUP BY p.process;

-- Processes of runtimes that have helpers (compilers, collectors, spare threads), which the program wakes when there is something
-- for them: such a thread that waits for another one is not held up.
CREATE VIEW helped AS
SELECT process FROM runtime WHERE name IN ('HotSpot', 'V8', 'Go', '.NET');

-- Pauses of processes: all threads stopped (world), an event loop kept from its poll (burst), stopped from outside (stop), or a
-- garbage collection that the runtime tells itself (gc).
-- `task` ended it, is the loop, was stopped, or collected. `threads` were stopped together; `early` of them before `task` itself began.
CREATE VIEW pause AS
WITH host AS MATERIALIZED (SELECT time_ns AS start_ns, time_ns + value AS end_ns FROM event WHERE kind IN ('pause.host', 'pause.suspend'))
SELECT iif(e.kind = 'process.continue', 'stop', substr(e.kind, 7)) AS kind, t.process, e.task,
	e.time_ns - iif(e.kind = 'process.continue', e.value, 0) AS start_ns, e.value AS ns,
	ifnull(json_extract(e.detail, '$.threads'), 1) AS threads, ifnull(json_extract(e.detail, '$.early'), 0) AS early
FROM event e JOIN thread t ON t.task = e.task
WHERE e.kind IN ('pause.world', 'pause.burst', 'pause.gc', 'process.continue') AND NOT t.own
	-- Not when no CPU ran for most of it.
	AND NOT EXISTS (SELECT 1 FROM host h WHERE e.kind <> 'process.continue'
		AND 2 * (min(h.end_ns, e.time_ns + e.value) - max(h.start_ns, e.time_ns)) > e.value);

-- The same by process and kind, ns: how often, together, half of them were at most, the longest.
CREATE VIEW pause_summary AS
SELECT process, kind, count(*) AS count, sum(ns) AS ns, max(iif(place * 2 <= total + 1, ns, 0)) AS p50, max(ns) AS max,
	avg(threads) AS threads, avg(early * 1.0 / threads) AS early
FROM (SELECT p.*, row_number() OVER w AS place, count(*) OVER (PARTITION BY process, kind) AS total FROM pause p
	WINDOW w AS (PARTITION BY process, kind ORDER BY ns))
GROUP BY process, kind;

-- Of those, the ones that are told of: bursts of who polls again and again, and stops of all threads in which somebody ran or was
-- held up most of the time: threads that wait for work are let go on together, too.
CREATE VIEW pause_of_note AS
SELECT p.* FROM pause_summary p
WHERE CASE p.kind WHEN 'burst' THEN EXISTS (
		SELECT 1 FROM sample_total l JOIN metric m ON m.id = l.metric JOIN task k ON k.id = l.task
		WHERE m.name = 'loop.polls' AND k.process = p.process)
	WHEN 'world' THEN p.ns <= 2 * (SELECT sum(w.value) FROM sample_total w JOIN metric m ON m.id = w.metric JOIN task k ON k.id = w.task
		WHERE m.name = 'pause.world' AND k.process = p.process)
	ELSE 1 END;

-- What the kinds of pauses are called.
CREATE VIEW pause_name AS
SELECT column1 AS kind, column2 AS name
FROM (VALUES ('world', 'all threads'), ('burst', 'event loop'), ('gc', 'collection'), ('stop', 'stopped'));

-- Services: the port behind the last colon of the name, or the path of a Unix socket.
CREATE VIEW service AS
SELECT id AS resource, name, iif(name GLOB '[/@]*', name, substr(name, length(rtrim(name, replace(name, ':', ''))) + 1)) AS port
FROM resource WHERE kind = 'service';

-- Requests by the thread that answered and service, ns: the time from the request to the first byte of the answer, and the
-- parts that it is the sum of.
CREATE VIEW request AS
SELECT s.task, s.resource, sum(iif(m.name = 'request.time', s.count, 0)) AS count,
	sum(iif(m.name = 'request.time', s.value, 0)) AS ns, sum(iif(m.name = 'request.queue', s.value, 0)) AS queue,
	sum(iif(m.name = 'request.runqueue', s.value, 0)) AS runqueue, sum(iif(m.name = 'request.cpu', s.value, 0)) AS cpu,
	sum(iif(m.name = 'request.lock', s.value, 0)) AS lock, sum(iif(m.name = 'request.disk', s.value, 0)) AS disk,
	sum(iif(m.name = 'request.memory', s.value, 0)) AS memory, sum(iif(m.name = 'request.peer', s.value, 0)) AS peer,
	sum(iif(m.name = 'request.other', s.value, 0)) AS other, sum(iif(m.name = 'request.elsewhere', s.value, 0)) AS elsewhere
FROM sample_total s JOIN metric m ON m.id = s.metric WHERE m.name GLOB 'request.*'
GROUP BY s.task, s.resource;

-- What was still without an answer when the period ended, and was for a second or longer: requests that a thread has received
-- (its task) or none has, and calls. ns: together, so far.
-- silent: clients that got nothing since they last sent something: requests that are older than the recording, or handed to
-- another thread; or messages that want no answer. Those that are known to be requests are not among them.
CREATE VIEW unanswered AS
WITH open AS (
	SELECT substr(m.name, 6) AS kind, s.task, s.resource, sum(s.count) AS count, sum(s.value) AS ns
	FROM metric m JOIN sample_level s ON s.metric = m.id JOIN period p ON p.last = s.slice
	WHERE m.name IN ('open.request', 'open.unread', 'open.call', 'open.silent')
	GROUP BY m.id, s.task, s.resource),
known AS (SELECT resource, sum(count) AS count FROM open WHERE kind IN ('request', 'unread') GROUP BY resource)
SELECT kind, task, resource, count, ns FROM open WHERE kind <> 'silent'
UNION ALL
SELECT o.kind, o.task, o.resource, o.count - ifnull(k.count, 0), o.ns * (o.count - ifnull(k.count, 0)) / o.count
FROM open o LEFT JOIN known k ON k.resource = o.resource WHERE o.kind = 'silent' AND o.count > ifnull(k.count, 0);

-- The same of processes that ought to answer; evidence, if there is any, as findings have it. ns: of one, the mean so far.
CREATE VIEW unanswered_evidence AS
SELECT process, json_object('metric', iif(silent, 'clients that have sent something and got nothing', 'requests without an answer')
	|| printf(' for %.1f s', ns / 1e9), 'value', count, 'unit', iif(silent, 'connections', 'requests')) AS evidence
FROM (SELECT t.process, u.kind = 'silent' AS silent, sum(u.count) AS count, sum(u.ns) / sum(u.count) AS ns
	FROM unanswered u JOIN task t ON t.id = u.task WHERE u.kind <> 'call' GROUP BY t.process, u.kind = 'silent');

-- Counters of the hardware by task and stack, a column each; NULL: not counted (record --pmu).
CREATE VIEW counter AS
SELECT s.task, s.stack, sum(iif(m.name = 'pmu.cycles', s.value, NULL)) AS cycles,
	sum(iif(m.name = 'pmu.instructions', s.value, NULL)) AS instructions,
	sum(iif(m.name = 'pmu.cache_misses', s.value, NULL)) AS cache_misses,
	sum(iif(m.name = 'pmu.branch_misses', s.value, NULL)) AS branch_misses,
	sum(iif(m.name = 'pmu.stalled', s.value, NULL)) AS stalled
FROM sample_total s JOIN metric m ON m.id = s.metric
WHERE m.name IN ('pmu.cycles', 'pmu.instructions', 'pmu.cache_misses', 'pmu.branch_misses', 'pmu.stalled')
GROUP BY s.task, s.stack;
