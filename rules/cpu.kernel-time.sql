-- SPDX-License-Identifier: BSD-2-Clause
-- title: System calls, not the program's own code, take the CPU
-- summary: {kernel} % of {comm}'s CPU is in the kernel, {most} {call} ({share} %){from}{waiting}
-- explain: Looks at CPU samples of busy processes for those in a system call, and by which call. It is worth a warning when
--    threads of other processes wait for this one, or when the calls are so small that going in and out of the
--    kernel is a part of what they cost, or when it does little else than look up files: then one call that does more is cheaper. A job that copies files
--    or sends data in large pieces is in the kernel, too, and does what it is for; so does who sends and receives by turns, as requests
--    and answers are small. Who only sends, or only receives, could do more at a time.
-- threshold kernel = 0.6: of the process's samples in system calls; programs that compute beside them stay below
-- threshold call = 0.4: of the process's samples in one call; below that no single call is the reason
-- threshold mixed = 0.4: of the process's samples in system calls, if they are small; an interpreter has its own part in each of them
-- threshold one = 0.05: of its samples in the one that takes most, if they are small: where all of them are, they are the reason together
-- threshold asks = 0.7: of the samples of a process in one call that looks files up by name; walks over folders also list them
-- threshold cpu = 0.3: CPUs that the process uses; below that it changes little
-- threshold samples = 50: of the process; fewer say nothing about shares
-- threshold small = 0.15: of the process's samples at the kernel's entry itself; services and walks over files stay below, copies near 0
-- threshold alone = 0.8: CPUs that it uses or wants, of a process with small calls that nobody waits for; less is not worth the change
-- threshold transport = 0.3: of the samples in system calls, spent on sending and receiving; who does so much of it has small calls for that
-- threshold client = 0.3: of the period that another process's thread waits for it
-- threshold rate = 2: wake-ups a second of that thread; what waits for the end of a job is woken once
-- action: Call {call} less often in {caller}: {how}
-- action: See who calls it: perfscope flamegraph -p {pid}
-- runbook: high-cpu
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
busy AS MATERIALIZED (
	SELECT p.* FROM process_state p, span
	WHERE NOT p.own AND NOT p.kernel AND p.running >= coalesce(:cpu, 0.3) * span.ns ORDER BY p.running DESC LIMIT 16),
sampled AS MATERIALIZED (
	SELECT t.process, c.stack, sum(c.value) AS ns, sum(c.count) AS count
	FROM sample_total c JOIN metric m ON m.id = c.metric JOIN task t ON t.id = c.task
	WHERE m.name = 'cpu.time' AND t.process IN (SELECT process FROM busy) AND c.stack IS NOT NULL GROUP BY t.process, c.stack),
entry AS MATERIALIZED (
	SELECT frame FROM frame_name WHERE kind = 'kernel' AND (name GLOB 'entry_SYSCALL_64*' OR name GLOB 'do_syscall_64*'
		OR name IN ('x64_sys_call', 'el0_svc', 'el0t_64_sync', 'el0t_64_sync_handler', 'do_el0_svc', 'el0_svc_common.constprop.0',
			'invoke_syscall', 'do_int80_emulation', 'do_fast_syscall_32'))),
-- The function right behind the entry is the call: __x64_sys_read, ksys_read, __do_sys_newfstatat.
below(id, call, depth) AS (
	SELECT s.id, NULL, 0 FROM entry CROSS JOIN stack s USING (frame)
	UNION
	SELECT s.id, iif(b.depth, b.call, iif(s.frame IN (SELECT frame FROM entry), NULL, s.frame)),
		b.depth OR s.frame NOT IN (SELECT frame FROM entry)
	FROM below b JOIN stack s ON s.parent = b.id),
-- libc's functions that do nothing but call: where a clock samples, the way in and out shows there, too.
wrapper AS MATERIALIZED (
	SELECT DISTINCT f.symbol FROM entry CROSS JOIN stack s USING (frame) JOIN stack p ON p.id = s.parent JOIN frame f ON f.id = p.frame
	JOIN module m ON m.id = f.module WHERE m.kind = 'elf' AND (m.path GLOB '*/libc.so*' OR m.path GLOB '*/libc-*')),
total AS MATERIALIZED (
	SELECT s.process, sum(s.ns) AS ns, sum(s.count) AS count, sum(iif(b.id OR w.symbol, s.ns, 0)) AS kernel,
		sum(iif(b.id AND b.call IS NULL, s.ns, 0)) AS entered, sum(iif(b.call, s.ns, 0)) AS called
	FROM sampled s JOIN stack k ON k.id = s.stack JOIN frame f ON f.id = k.frame LEFT JOIN below b ON b.id = s.stack
		LEFT JOIN wrapper w ON w.symbol = f.symbol GROUP BY s.process),
-- Its name without what the kernel puts around it.
named AS MATERIALIZED (
	SELECT frame, name, CASE WHEN instr(name, 'sys_') THEN rtrim(substr(name, instr(name, 'sys_') + 4), '0123456789.') ELSE name END AS call
	FROM frame_name WHERE frame IN (SELECT call FROM below)),
call AS MATERIALIZED (
	SELECT s.process, n.call, max(n.name) AS name, sum(s.ns) AS ns, row_number() OVER (PARTITION BY s.process ORDER BY sum(s.ns) DESC) AS place
	FROM sampled s JOIN below b ON b.id = s.stack JOIN named n ON n.frame = b.call
	WHERE n.name NOT GLOB 'exit_to_user_mode*' AND n.name NOT GLOB 'syscall_*' GROUP BY s.process, n.call),
found AS MATERIALIZED (
	SELECT t.process, t.kernel * 1.0 / t.ns AS kernel, t.entered * 1.0 / t.ns AS entered, c.call, c.name,
		c.ns * 1.0 / t.called * t.kernel / t.ns AS share
	FROM total t JOIN call c ON c.process = t.process AND c.place = 1
	WHERE t.count >= coalesce(:samples, 50) AND t.kernel >= iif(t.entered >= coalesce(:small, 0.15) * t.ns, coalesce(:mixed, 0.4), coalesce(:kernel, 0.6)) * t.ns
		AND c.ns * 1.0 / t.called * t.kernel >= iif(t.entered >= coalesce(:small, 0.15) * t.ns, coalesce(:one, 0.05), coalesce(:call, 0.4)) * t.ns),
-- Sending answers and reading requests is what a server is for, however much it costs; so are packets to a tunnel.
transport(id, receives) AS (
	SELECT s.id, n.name GLOB '*recv*' OR n.name GLOB '*_read_iter' FROM frame_name n CROSS JOIN stack s USING (frame)
	WHERE n.kind = 'kernel' AND (n.name IN ('sock_write_iter', 'sock_read_iter', 'sock_sendmsg', 'sock_recvmsg', '__sock_sendmsg',
		'tun_chr_write_iter', 'tun_chr_read_iter', '__sys_sendto', '__sys_recvfrom', '__sys_sendmsg', '__sys_recvmsg') OR n.name GLOB '*_sendmsg' OR n.name GLOB '*_recvmsg')
	UNION
	SELECT s.id, t.receives FROM transport t JOIN stack s ON s.parent = t.id),
moved AS MATERIALIZED (
	SELECT f.process, sum(iif(s.stack IN (SELECT id FROM transport), s.ns, 0)) * 1.0 / sum(s.ns) AS share
	FROM found f JOIN sampled s ON s.process = f.process JOIN below b ON b.id = s.stack JOIN named n ON n.frame = b.call AND n.call = f.call
	GROUP BY f.process),
-- Both, by turns: requests and answers.
transports AS MATERIALIZED (
	SELECT t.process FROM total t JOIN sampled s ON s.process = t.process
	JOIN (SELECT id, max(receives) AS receives FROM transport GROUP BY id) x ON x.id = s.stack
	GROUP BY t.process HAVING sum(s.ns) >= coalesce(:transport, 0.3) * max(t.called)
		AND min(sum(iif(x.receives, s.ns, 0)), sum(iif(x.receives, 0, s.ns))) >= 0.05 * sum(s.ns)),
-- By the wakers' stacks: what an interrupt wakes while this process is in a call does not wait for it. Processes of one program that
-- has forked itself wait for each other as threads do.
client AS MATERIALIZED (
	SELECT t.process AS server, w.task, sum(w.ns) AS ns FROM waker_total w JOIN waits_for USING (task, other_task) JOIN thread t ON t.task = w.other_task
	JOIN thread v ON v.task = w.task, span
	WHERE t.process IN (SELECT process FROM moved WHERE share < 0.5) AND v.process <> t.process AND NOT v.own AND NOT v.kernel
		AND NOT (v.process_comm = t.process_comm AND v.command = t.command)
	GROUP BY t.process, w.task HAVING sum(w.ns) >= coalesce(:client, 0.3) * span.ns
		AND sum(w.count) * 1e9 >= coalesce(:rate, 2) * span.ns),
-- The nearest function of the program's own code above the call.
walk(process, leaf, ns, stack, up) AS (
	SELECT s.process, s.stack, s.ns, s.stack, 0 FROM sampled s JOIN below b ON b.id = s.stack JOIN named n ON n.frame = b.call
		JOIN found f ON f.process = s.process AND f.call = n.call
	UNION ALL
	SELECT w.process, w.leaf, w.ns, s.parent, w.up + 1 FROM walk w JOIN stack s ON s.id = w.stack
	WHERE s.parent IS NOT NULL AND w.up < 96),
code AS MATERIALIZED (
	SELECT frame, name, rank FROM code_frame),
caller AS MATERIALIZED (
	SELECT process, name, max(ns) FROM (
		SELECT process, name, sum(ns) AS ns FROM (
			SELECT w.process, w.leaf, w.ns, c.name, min(w.up - 96 * c.rank) FROM walk w JOIN stack s ON s.id = w.stack JOIN code c USING (frame)
			GROUP BY w.process, w.leaf)
		GROUP BY process, name)
	GROUP BY process)
SELECT iif(f.process IN (SELECT server FROM client)
		OR ((f.entered >= coalesce(:small, 0.15) OR (f.share >= coalesce(:asks, 0.7) AND f.call IN ('newfstatat', 'stat', 'newstat',
				'lstat', 'newlstat', 'statx', 'access', 'faccessat', 'readlink', 'readlinkat', 'open', 'openat')))
			AND b.running + b.runnable >= coalesce(:alone, 0.8) * span.ns AND f.process NOT IN (SELECT process FROM transports)), 'waited', 'none') AS urgency,
	min(1, f.kernel) AS impact, b.comm, b.pid, f.call,
	printf('%.0f', 100 * f.kernel) AS kernel, printf('%.0f', 100 * f.share) AS share,
	iif(f.share >= 0.5 * f.kernel, 'most of it in', 'first of all in') AS most,
	iif(f.call = 'rt_sigreturn', 'it ends a signal''s handler; let timers (setitimer, timer_create) expire less often, or wait for them (timerfd, sigtimedwait)',
		'larger buffers, batches (readv, sendmmsg, io_uring), or remember what it said') AS how, ifnull(c.name, b.comm) AS caller,
	ifnull(', called by ' || c.name, '') AS "from",
	iif(f.process IN (SELECT server FROM client), '; others wait for it', '') AS waiting,
	'system call' AS resource_kind, f.call AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', b.pid, 'tid', 0, 'comm', b.comm, 'cgroup', b.cgroup) AS x
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM client k JOIN thread t USING (task) WHERE k.server = f.process ORDER BY k.ns DESC LIMIT 10))) AS affected,
	json_array(
		json_object('metric', 'CPU time in system calls', 'value', 100 * f.kernel, 'unit', '%', 'threshold', 100 * coalesce(:kernel, 0.6)),
		json_object('metric', 'CPU time in ' || f.call, 'value', 100 * f.share, 'unit', '%', 'threshold', 100 * coalesce(:call, 0.4)),
		json_object('metric', 'CPU time at the kernel''s entry', 'value', 100 * f.entered, 'unit', '%',
			'threshold', 100 * coalesce(:small, 0.15)),
		json_object('metric', 'CPU of ' || b.comm, 'value', 100.0 * b.running / span.ns, 'unit', '% of a CPU',
			'threshold', 100 * coalesce(:cpu, 0.3))) AS evidence,
	json_array(json_object('role', 'hot', 'metric', 'cpu.time', 'process', f.process, 'function', f.name)) AS stacks
FROM found f JOIN busy b ON b.process = f.process LEFT JOIN caller c ON c.process = f.process, span
ORDER BY urgency DESC, f.kernel * b.running DESC LIMIT 5;
