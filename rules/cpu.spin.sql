-- SPDX-License-Identifier: BSD-2-Clause
-- title: Threads burn CPU while they wait: they spin or poll for something that others hold
-- summary: {comm} {how} in {function}, with {threads}: {share} % of its CPU time, {cpu} % of a CPU, goes into waiting
-- explain: Looks for CPU samples where nothing is computed: in loops that only look at memory until it changes (with a pause
--    instruction, an exchange that is tried again and again, or nothing but a load and a jump; perfscope finds them in the code
--    of sampled functions), in attempts to take a lock without waiting for it, in a loop around sched_yield() or Go's Gosched(),
--    and in calls that ask for input, time and again, without ever sleeping and without getting any. Other threads could use
--    that time, and whoever holds what is waited for may be among them.
-- threshold cpu = 0.2: CPUs burnt by the process; below that a short spin before sleeping is cheaper than a switch
-- threshold share = 0.3: of the process's samples; adaptive locks and queues stay far below
-- threshold samples = 50: of the process; fewer say nothing about shares
-- threshold asks = 0.1: of the samples of a function of Python, in such calls; the rest is the interpreter's
-- threshold wants = 0.7: of the period that a polling thread runs or wants to; below that it sleeps between its looks
-- threshold sleeps = 0.02: of the period that it is blocked in such calls; above that it waits as it should
-- threshold empty = 0.02: of the samples in calls for input that copy any; calls that get some spend more on it
-- threshold other = 0.2: of the samples below the caller of sched_yield() that are not in it; above that it works in between
-- threshold holder = 0.15: of the process's samples outside; where nobody works, giving up the CPU is all that is done
-- threshold switches = 5000: a second; where giving up the CPU succeeds so often, and nobody works, it is switching that costs
-- threshold holds = 0.05: of the time that threads which give up the CPU sleep; one that has what the others wait for does
-- action: Let the threads in {function} sleep until they are woken: a mutex or condition variable, a futex, poll with a timeout, blocking reads
-- action: If the wait is always short, keep what is held shorter, and the number of threads at or below the number of CPUs
-- action: See the loop: perfscope annotate {function}; and what the holder does: perfscope flamegraph -p {pid}
-- runbook: high-cpu
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
busy AS MATERIALIZED (
	SELECT p.* FROM process_state p, span
	WHERE NOT p.own AND NOT p.kernel AND p.running >= coalesce(:cpu, 0.2) * span.ns ORDER BY p.running DESC LIMIT 16),
sampled AS MATERIALIZED (
	SELECT t.process, t.id AS task, c.stack, sum(c.value) AS ns, sum(c.count) AS count
	FROM sample_total c JOIN metric m ON m.id = c.metric JOIN task t ON t.id = c.task
	WHERE m.name = 'cpu.time' AND t.process IN (SELECT process FROM busy) AND c.stack IS NOT NULL GROUP BY t.id, c.stack),
looping AS MATERIALIZED (
	SELECT DISTINCT f.id AS frame FROM wait_loop w JOIN symbol y ON y.id = w.symbol
	JOIN frame f ON f.module = y.module AND f.address >= w.start AND f.address < w.end
	JOIN module m ON m.id = f.module
	WHERE m.kind IN ('elf', 'jit') AND (w.kind = 'pause' OR m.path NOT GLOB '*/libc.so*')),
-- What a function's name says of all that is below it. V8 calls a function for each look at memory that threads share, and Go
-- for each look at a channel that does not wait.
kind AS MATERIALIZED (
	SELECT frame, CASE
		WHEN name GLOB 'Builtins_Atomics*' OR name GLOB 'runtime.selectnb*' THEN 'loop'
		WHEN name GLOB '*trylock*' OR name GLOB '*try_lock*' OR name GLOB '*tryLock*' OR name GLOB '*TryLock*' OR name GLOB '*trywait*'
			OR name GLOB '*try_acquire*' OR name GLOB 'pthread_spin_lock*' THEN 'try'
		WHEN name IN ('sched_yield', '__sched_yield', 'runtime.gosched_m') THEN 'yield'
		WHEN name IN ('poll', '__poll', 'ppoll', 'select', '__select', 'pselect', 'epoll_wait', 'epoll_pwait', 'epoll_pwait2', 'wait4',
			'__wait4', 'waitpid', '__waitpid', 'waitid') THEN 'poll'
		ELSE 'input' END AS kind
	FROM frame_name WHERE kind = 'elf' AND (name GLOB 'Builtins_AtomicsLoad*' OR name GLOB 'Builtins_AtomicsCompareExchange*'
		OR name GLOB 'runtime.selectnb*'
		OR name GLOB '*trylock*' OR name GLOB '*try_lock*' OR name GLOB '*tryLock*'
		OR name GLOB '*TryLock*' OR name GLOB '*trywait*' OR name GLOB '*try_acquire*' OR name GLOB 'pthread_spin_lock*'
		OR name IN ('sched_yield', '__sched_yield', 'runtime.gosched_m', 'poll', '__poll', 'ppoll', 'select', '__select', 'pselect', 'epoll_wait',
			'epoll_pwait', 'epoll_pwait2', 'wait4', '__wait4', 'waitpid', '__waitpid', 'waitid', 'recv', '__recv', '__libc_recv', 'recvfrom',
			'__libc_recvfrom', 'recvmsg', '__libc_recvmsg', 'recvmmsg', 'accept', 'accept4'))
	UNION ALL
	SELECT frame, CASE WHEN name GLOB '*sched_yield' THEN 'yield'
		WHEN name GLOB '__*_sys_recv*' OR name GLOB '__*_sys_accept*' OR name GLOB '*_read*' THEN 'input' ELSE 'poll' END
	FROM frame_name WHERE kind = 'kernel' AND (name GLOB '__*_sys_sched_yield' OR name GLOB '__*_sys_poll' OR name GLOB '__*_sys_ppoll'
		OR name GLOB '__*_sys_select' OR name GLOB '__*_sys_pselect6' OR name GLOB '__*_sys_epoll_*wait*' OR name GLOB '__*_sys_wait*'
		OR name GLOB '__*_sys_recv*' OR name GLOB '__*_sys_accept*' OR name IN ('sock_read_iter', 'pipe_read', 'anon_pipe_read',
			'fifo_pipe_read', 'eventfd_read', 'timerfd_read', 'timerfd_read_iter', 'signalfd_read_iter', 'tty_read'))),
below(id, kind) AS (
	SELECT s.id, k.kind FROM kind k CROSS JOIN stack s USING (frame)
	UNION
	SELECT s.id, b.kind FROM below b JOIN stack s ON s.parent = b.id),
copied(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame)
	WHERE n.kind = 'kernel' AND (n.name IN ('_copy_to_iter', '_copy_to_user', 'copy_page_to_iter', 'simple_copy_to_iter', 'copyout',
		'copy_user_generic', '__arch_copy_to_user') OR n.name GLOB 'skb_copy_datagram*' OR n.name GLOB 'rep_movs*')
	UNION
	SELECT s.id FROM copied c JOIN stack s ON s.parent = c.id),
-- The way to the kernel and back is part of a read that brings nothing; of files, that says nothing.
read_call(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame) WHERE n.name IN ('read', '__read', '__libc_read', 'ksys_read')
	UNION
	SELECT s.id FROM read_call r JOIN stack s ON s.parent = r.id),
file_read(id) AS (
	SELECT s.id FROM frame_name n CROSS JOIN stack s USING (frame)
	WHERE n.kind = 'kernel' AND (n.name IN ('filemap_read', 'seq_read', 'seq_read_iter', 'proc_reg_read', 'proc_reg_read_iter', 'urandom_read_iter')
		OR n.name GLOB '*file_read_iter' OR n.name GLOB '*read_iter_zero' OR n.name GLOB 'read_zero')
	UNION
	SELECT s.id FROM file_read r JOIN stack s ON s.parent = r.id),
empty_read AS MATERIALIZED (
	SELECT process FROM sampled GROUP BY process
	HAVING sum(iif(stack IN (SELECT id FROM below WHERE kind = 'input'), ns, 0)) > 10 * sum(iif(stack IN (SELECT id FROM file_read), ns, 0))),
stack_kind AS MATERIALIZED (
	SELECT s.stack, CASE WHEN k.frame IN (SELECT frame FROM looping) THEN 'loop' ELSE
		(SELECT b.kind FROM below b WHERE b.id = s.stack ORDER BY b.kind = 'try' DESC, b.kind = 'yield' DESC, b.kind = 'poll' DESC LIMIT 1) END AS kind
	FROM (SELECT DISTINCT stack FROM sampled) s JOIN stack k ON k.id = s.stack),
-- A loop of Python that only asks again and again spends most of its time in the interpreter: the whole function counts. Who
-- gets a lock also gives it back.
near_python(stack, id, symbol) AS (
	SELECT DISTINCT s.stack, s.stack, NULL FROM sampled s JOIN task t ON t.id = s.task JOIN runtime r ON r.process = t.process AND r.name = 'CPython'
	UNION ALL
	SELECT w.stack, s.parent, iif(m.kind = 'python', f.symbol, NULL) FROM near_python w JOIN stack s ON s.id = w.id
		JOIN frame f ON f.id = s.frame JOIN module m ON m.id = f.module WHERE w.symbol IS NULL AND s.parent IS NOT NULL),
lock_call(id, takes) AS (
	SELECT s.id, n.name GLOB '*_acquire_lock*' FROM frame_name n CROSS JOIN stack s USING (frame)
	WHERE n.kind = 'elf' AND (n.name GLOB '*PyThread_acquire_lock*' OR n.name GLOB '*PyThread_release_lock*')
	UNION
	SELECT s.id, l.takes FROM lock_call l JOIN stack s ON s.parent = l.id),
python_self AS MATERIALIZED (
	SELECT s.process, p.stack, p.symbol, sum(s.ns) AS ns, iif(p.stack IN (SELECT id FROM lock_call WHERE takes), 'try', k.kind) AS kind,
		p.stack IN (SELECT id FROM lock_call WHERE NOT takes) AS gives
	FROM near_python p JOIN sampled s USING (stack) JOIN stack_kind k USING (stack) WHERE p.symbol IS NOT NULL GROUP BY s.process, p.stack),
fair AS MATERIALIZED (SELECT process FROM python_self GROUP BY process HAVING sum(gives * ns) > 0.2 * sum(iif(kind = 'try', ns, 0))),
python_loop AS MATERIALIZED (
	SELECT a.process, a.symbol, p.kind FROM (SELECT process, symbol, sum(ns) AS ns FROM python_self GROUP BY process, symbol) a
		JOIN python_self p USING (process, symbol)
	WHERE p.kind IN ('try', 'input', 'poll') AND (p.kind <> 'try' OR a.process NOT IN (SELECT process FROM fair))
	GROUP BY a.process, a.symbol, p.kind HAVING sum(p.ns) >= coalesce(:asks, 0.1) * a.ns),
kind_of AS MATERIALIZED (
	SELECT k.stack, coalesce(k.kind, iif(k.stack IN (SELECT id FROM read_call) AND EXISTS (SELECT 1 FROM sampled s
			WHERE s.stack = k.stack AND s.process IN (SELECT process FROM empty_read)), 'input', NULL), (SELECT l.kind FROM python_self p JOIN python_loop l USING (process, symbol) WHERE p.stack = k.stack
		ORDER BY l.kind = 'try' DESC LIMIT 1)) AS kind, k.kind IS NOT NULL AS asks
	FROM stack_kind k),
state AS MATERIALIZED (
	SELECT s.task, (s.running + s.runnable) * 1.0 / span.ns AS wanted, (SELECT ifnull(sum(w.ns), 0) FROM thread_wait w
		WHERE w.task = s.task AND w.cause IN ('poll', 'ipc', 'net', 'child')) * 1.0 / span.ns AS sleeps
	FROM thread_state s, span WHERE s.process IN (SELECT process FROM busy)),
-- By thread and kind; polling counts only where it is done without sleep, and input only where none comes.
part AS MATERIALIZED (
	SELECT s.process, s.task, k.kind, sum(s.ns) AS ns
	FROM sampled s JOIN kind_of k USING (stack) JOIN state t ON t.task = s.task
	WHERE k.kind IS NOT NULL AND (k.kind NOT IN ('poll', 'input')
		OR (t.wanted >= coalesce(:wants, 0.7) AND t.sleeps <= coalesce(:sleeps, 0.02)))
	GROUP BY s.task, k.kind
	HAVING k.kind <> 'input' OR sum(iif(s.stack IN (SELECT id FROM copied), s.ns, 0)) <= coalesce(:empty, 0.02) * sum(k.asks * s.ns)),
total AS MATERIALIZED (SELECT process, sum(ns) AS ns, sum(count) AS count FROM sampled GROUP BY process),
mostly AS MATERIALIZED (
	SELECT process, kind, sum(sum(ns)) OVER (PARTITION BY process) AS ns, row_number() OVER (PARTITION BY process ORDER BY sum(ns) DESC) AS place
	FROM part GROUP BY process, kind),
candidate AS MATERIALIZED (
	SELECT m.process, m.kind, m.ns, m.ns * 1.0 / t.ns AS share, m.ns * 1.0 / t.ns * b.running AS burnt, b.switches
	FROM mostly m JOIN total t USING (process) JOIN busy b USING (process), span
	WHERE m.place = 1 AND t.count >= coalesce(:samples, 50) AND m.ns >= coalesce(:share, 0.3) * t.ns
		AND m.ns * 1.0 / t.ns * b.running >= coalesce(:cpu, 0.2) * span.ns),
-- The function of the program's own code that has the loop.
walk(process, leaf, ns, stack, up) AS (
	SELECT s.process, s.stack, s.ns, s.stack, 0 FROM sampled s JOIN kind_of k USING (stack) JOIN candidate c
		ON c.process = s.process AND c.kind = k.kind
	UNION ALL
	SELECT w.process, w.leaf, w.ns, s.parent, w.up + 1 FROM walk w JOIN stack s ON s.id = w.stack WHERE s.parent IS NOT NULL AND w.up < 96),
code AS MATERIALIZED (
	SELECT frame, name, rank FROM code_frame WHERE name NOT GLOB '*@plt' AND name NOT GLOB 'runtime.*'),
near AS MATERIALIZED (
	SELECT w.process, w.leaf, w.ns, c.name, min(w.up - 96 * c.rank) FROM walk w JOIN stack s ON s.id = w.stack JOIN code c USING (frame)
	WHERE c.frame NOT IN (SELECT frame FROM kind) GROUP BY w.process, w.leaf),
place AS MATERIALIZED (
	SELECT process, name, max(ns) AS ns FROM (SELECT process, name, sum(ns) AS ns FROM near GROUP BY process, name) GROUP BY process),
-- Giving up the CPU: what else is done below the function that does it?
under(process, id) AS (
	SELECT p.process, s.id FROM place p JOIN candidate c ON c.process = p.process AND c.kind = 'yield'
		JOIN code n ON n.name = p.name JOIN stack s USING (frame)
	UNION
	SELECT u.process, s.id FROM under u JOIN stack s ON s.parent = u.id),
working AS MATERIALIZED (
	SELECT u.process, sum(iif(k.kind IS NULL, s.ns, 0)) * 1.0 / sum(s.ns) AS share
	FROM under u JOIN sampled s ON s.stack = u.id AND s.process = u.process JOIN kind_of k ON k.stack = s.stack GROUP BY u.process),
holding AS MATERIALIZED (
	SELECT p.process FROM part p JOIN state t USING (task) WHERE p.kind = 'yield' GROUP BY p.process
	HAVING avg(1 - min(t.wanted, 1)) >= coalesce(:holds, 0.05)),
found AS MATERIALIZED (
	SELECT c.*, p.name AS function FROM candidate c LEFT JOIN place p USING (process) LEFT JOIN working w USING (process), span
	WHERE c.kind <> 'yield' OR (ifnull(w.share, 0) <= coalesce(:other, 0.2)
		AND (1 - c.share >= coalesce(:holder, 0.15) OR c.switches * 1e9 < coalesce(:switches, 5000) * span.ns
			OR c.process IN (SELECT process FROM holding)))),
thread_part AS MATERIALIZED (
	SELECT p.process, p.task, sum(p.ns) AS ns FROM part p JOIN found USING (process) GROUP BY p.task
	HAVING sum(p.ns) >= 0.1 * (SELECT sum(ns) FROM sampled s WHERE s.task = p.task))
SELECT 'waited' AS urgency, min(1, f.share) AS impact, b.comm, b.pid, ifnull(f.function, 'its code') AS function,
	(SELECT iif(count(*) = 1, 'one thread', count(*) || ' threads') FROM thread_part t WHERE t.process = f.process) AS threads,
	CASE f.kind WHEN 'loop' THEN 'spins' WHEN 'try' THEN 'tries to take a lock again and again' WHEN 'yield' THEN 'gives up the CPU in a loop'
		ELSE 'asks for input without pause' END AS how,
	printf('%.0f', 100 * f.share) AS share, printf('%.0f', 100.0 * f.burnt / span.ns) AS cpu,
	'function' AS resource_kind, f.function AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup) AS x
		FROM thread_part k JOIN thread t USING (task) WHERE k.process = f.process ORDER BY k.ns DESC LIMIT 10)) AS affected,
	json_array(
		json_object('metric', 'CPU time spent waiting', 'value', 100 * f.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.3)),
		json_object('metric', 'CPU burnt by it', 'value', 100.0 * f.burnt / span.ns, 'unit', '% of a CPU',
			'threshold', 100 * coalesce(:cpu, 0.2)),
		json_object('metric', 'CPU of ' || b.comm, 'value', 100.0 * b.running / span.ns, 'unit', '% of a CPU')) AS evidence,
	json_array(json_object('role', 'hot', 'metric', 'cpu.time', 'process', f.process, 'function', ifnull(f.function, '')),
		json_object('role', 'holder', 'metric', 'cpu.time', 'process', f.process)) AS stacks
FROM found f JOIN busy b ON b.process = f.process, span ORDER BY f.burnt DESC LIMIT 5;
