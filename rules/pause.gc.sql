-- SPDX-License-Identifier: BSD-2-Clause
-- title: A runtime stops all of its threads at once, or its only one collects garbage
-- summary: {comm} is stopped by {what} for {share} % of the time{longest}
-- explain: Looks for moments in which most of a process's active threads began to wait on a futex or for a signal, and were let
--    go on together by another of its threads. Threads that meet at a barrier do that, too: what counts is that code for
--    collecting garbage runs meanwhile, as function or thread names tell, or that the thread that lets them go on does little else
--    (not in HotSpot, Go and V8, whose collectors have names, and whose compilers, and idle threads, wait for work together).
--    Where the runtime itself tells when it collects (HotSpot's marks for tracers), that counts instead.
--    Runtimes with one thread, or that run one at a time, collect in that: the share of its samples in such code is what they lose.
-- threshold share = 0.05: of the period in such pauses; a healthy collector takes less
-- threshold ran = 0.5: of the pauses, in which threads of the process ran; in others all of them wait for work
-- threshold collecting = 0.5: of what ran meanwhile, collecting garbage; most means more than half
-- threshold dedicated = 0.5: of the CPU time of the thread that lets the others go on, in pauses, and at least half way from the share
--    that pauses have of the period to all of it; one that works itself has more
-- threshold active = 0.02: of the period on a CPU, of a thread that counts as active
-- threshold longest = 0.5: of all that time, in one pause, where only the pattern tells; a phase of a job comes once
-- threshold most = 0.5: of the active threads, stopped at once; most means more than half
-- threshold rest = 0.6: of the period, in such pauses, where only the pattern tells; threads that are let go on so rarely wait for work
-- threshold early = 0.5: of the stopped threads, waiting before who let them go on was awake: those had finished their work
-- threshold alone = 0.15: of the time of the only thread, or of those that take turns, collecting garbage; a healthy collector takes less
-- threshold client = 0.1: of the period that another process's thread waits for it
-- action: Give it more memory, or allocate less: the less garbage, the rarer and shorter the pauses
-- action: Choose a collector that works beside the threads, where the runtime has one (HotSpot: -XX:+UseG1GC, -XX:+UseZGC)
-- action: See what runs meanwhile: perfscope flamegraph --kind pause -p {pid}
-- runbook: gc-pauses
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
named AS MATERIALIZED (SELECT frame, name, lower(name) AS low FROM frame_name WHERE kind IN ('elf', 'jit', 'python')),
gc_frame AS MATERIALIZED (
	SELECT frame FROM named WHERE
		-- HotSpot
		name GLOB '*CollectedHeap::*collect*' OR name GLOB 'VM_G*::doit*' OR name GLOB 'DefNewGeneration::*'
		OR name GLOB 'G1*::*' OR name GLOB 'PSParallelCompact::*' OR name GLOB 'PSScavenge::*' OR name GLOB 'GenMarkSweep::*'
		-- V8
		OR name GLOB 'v8::internal::*Heap::*ollect*' OR name GLOB 'v8::internal::*Scaveng*'
		OR name GLOB 'v8::internal::*MarkCompact*' OR name GLOB 'v8::internal::*Marking*' OR name GLOB 'v8::internal::*Sweep*'
		-- Go, CPython, Ruby, .NET, Mono, OCaml, Boehm's
		OR name GLOB 'runtime.gc*' OR name GLOB 'runtime.stopTheWorld*' OR name GLOB 'runtime.markroot*'
		OR name GLOB 'gc_collect*' OR name IN ('PyGC_Collect', 'deduce_unreachable', 'collect_with_callback')
		OR name GLOB 'gc_start*' OR name GLOB 'gc_marks*' OR name GLOB 'gc_sweep*' OR name GLOB '*gc_heap::*'
		OR name GLOB 'sgen_*' OR name GLOB 'caml_*major*' OR name GLOB 'caml_*minor*' OR name GLOB 'GC_*collect*'
		OR name GLOB 'GC_mark*'
		-- what others may call it
		OR low GLOB '*garbage*' OR low GLOB '*stop*the*world*' OR low GLOB '*stoptheworld*'
		OR low GLOB 'gc_*' OR low GLOB '*_gc' OR low GLOB '*_gc_*' OR low GLOB '*mark*sweep*'
		OR name GLOB 'GC*' OR name GLOB '*[a-z]GC*' OR name GLOB '*[a-z]Gc*' OR low GLOB '*sweep*heap*' OR low GLOB '*compact*heap*'
		OR low GLOB '*heap*compact*' OR low GLOB '*collect_heap*'),
-- Ruby's library is delivered without its inner functions' names. They lie among those of the same file that have one: what its
-- allocators call only gets and gives memory; what is called in turn from there, or three deep from elsewhere, makes room.
ruby_named AS MATERIALIZED (
	SELECT y.id, y.module, y.start FROM symbol y JOIN module m ON m.id = y.module
	WHERE m.path GLOB '*libruby*' AND y.name NOT GLOB '*@plt' AND y.name <> 'rb_gc_for_fd'
		AND (y.name GLOB 'rb_gc_*' OR y.name GLOB 'rb_*newobj*' OR y.name GLOB 'rb_objspace_*' OR y.name GLOB 'ruby_x*')),
ruby_inner AS MATERIALIZED (
	SELECT f.id AS frame FROM (SELECT module, min(start) AS first, max(start) AS last FROM ruby_named GROUP BY module) r
		JOIN symbol y ON y.module = r.module AND y.start BETWEEN r.first AND r.last AND y.name GLOB '[[]*' JOIN frame f ON f.symbol = y.id),
ruby_outer AS MATERIALIZED (
	SELECT f.id AS frame FROM ruby_named n JOIN frame f ON f.symbol = n.id UNION SELECT frame FROM ruby_inner),
gc_stack(id) AS (
	SELECT s.id FROM gc_frame CROSS JOIN stack s USING (frame)
	UNION
	SELECT s.id FROM ruby_inner i CROSS JOIN stack s USING (frame) JOIN stack p ON p.id = s.parent JOIN ruby_inner j ON j.frame = p.frame
		JOIN stack a ON a.id = p.parent JOIN ruby_outer o ON o.frame = a.frame
	UNION
	SELECT s.id FROM gc_stack g JOIN stack s ON s.parent = g.id),
-- Under an interpreter's lock any thread collects, and all are let go on by others.
one_runs AS MATERIALIZED (SELECT process FROM runtime WHERE name IN ('CPython', 'Ruby')),
gc_thread AS MATERIALIZED (
	SELECT task FROM thread WHERE tid <> pid AND process NOT IN (SELECT process FROM one_runs) AND (comm IN ('VM Thread', '.NET Server GC', '.NET SVR GC') OR comm GLOB 'GC Thread#*' OR comm GLOB 'G1 *'
		OR comm GLOB 'ZWorker*' OR comm GLOB 'Shenandoah*' OR comm GLOB 'SGen*' OR lower(comm) GLOB 'gc*' OR lower(comm) GLOB '*[-_ ]gc*')),
ran AS MATERIALIZED (
	SELECT t.process, s.task, sum(s.value) AS ns,
		sum(iif(s.task IN gc_thread OR s.stack IN gc_stack, s.value, 0)) AS gc
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN task t ON t.id = s.task
	WHERE m.name = 'pause.world' GROUP BY s.task),
waker AS MATERIALIZED (SELECT process, task FROM pause WHERE kind = 'world' GROUP BY task),
dedicated AS MATERIALIZED (
	SELECT w.process, sum(ifnull(r.ns, 0)) * 1.0 / max(1, sum(s.running)) AS share
	FROM waker w JOIN thread_state s ON s.task = w.task LEFT JOIN ran r ON r.task = w.task GROUP BY w.process),
world AS MATERIALIZED (
	SELECT p.*, (SELECT sum(ns) FROM ran WHERE ran.process = p.process) * 1.0 / p.ns AS ran,
		(SELECT sum(gc) * 1.0 / sum(ns) FROM ran WHERE ran.process = p.process) AS gc, d.share AS dedicated,
		(SELECT count(*) FROM thread_state s WHERE s.process = p.process AND s.running >= coalesce(:active, 0.02) * span.ns
			AND s.task NOT IN (SELECT task FROM waker)) AS active
	FROM pause_summary p JOIN dedicated d ON d.process = p.process, span
	WHERE p.kind = 'world' AND p.ns >= coalesce(:share, 0.05) * span.ns),
-- What the runtime has told itself.
told AS MATERIALIZED (
	SELECT s.process, s.count, s.ns * 1.0 / span.ns AS share, s.p50, s.max, NULL AS threads, 1 AS gc, 'pause.gc' AS metric, 1 AS everybody
	FROM pause_summary s, span WHERE s.kind = 'gc' AND s.ns >= coalesce(:share, 0.05) * span.ns
		AND s.process IN (SELECT process FROM runtime WHERE name = 'HotSpot')),
stopped AS MATERIALIZED (
	SELECT w.process, w.count, w.ns * 1.0 / span.ns AS share, w.p50, w.max, w.threads, w.gc, 'pause.world' AS metric, 1 AS everybody FROM world w, span
	WHERE w.process NOT IN (SELECT process FROM one_runs) AND w.process NOT IN (SELECT process FROM told) AND ran >= coalesce(:ran, 0.5) AND (gc >= coalesce(:collecting, 0.5) OR (threads >= 2 AND w.max <= coalesce(:longest, 0.5) * w.ns
		AND w.process NOT IN (SELECT process FROM runtime WHERE name IN ('HotSpot', 'Go', 'V8')) AND w.ns <= coalesce(:rest, 0.6) * span.ns
		AND dedicated >= coalesce(:dedicated, 0.5) + (1 - coalesce(:dedicated, 0.5)) * w.ns / span.ns
		AND threads >= coalesce(:most, 0.5) * active AND early <= coalesce(:early, 0.5)))),
-- The thread that has the process's work to do collects in between; under an interpreter's lock, each of them may, and the others wait.
collected AS MATERIALIZED (
	SELECT c.task, sum(iif(c.stack IN gc_stack, c.value, 0)) AS gc FROM sample_total c JOIN metric m ON m.id = c.metric
	WHERE m.name = 'cpu.time' AND c.task NOT IN gc_thread GROUP BY c.task),
only AS MATERIALIZED (
	SELECT t.process, sum(c.gc) AS gc, sum(s.running + s.runnable + iif(t.tid = t.pid, s.held_up, 0)) AS busy
	FROM collected c JOIN thread t ON t.task = c.task JOIN thread_state s ON s.task = c.task
	WHERE NOT t.own AND (t.tid = t.pid OR t.process IN (SELECT process FROM one_runs)) GROUP BY t.process),
-- Where helpers collect, the only thread waits for them, in a burst: all of that counts.
in_burst AS MATERIALIZED (
	SELECT t.process, b.ns * sum(iif(s.stack IN gc_stack, s.value, 0)) / sum(s.value) AS gc
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	JOIN (SELECT task, sum(ns) AS ns FROM pause WHERE kind = 'burst' GROUP BY task) b ON b.task = s.task
	WHERE m.name = 'pause.burst' AND s.stack IS NOT NULL AND t.tid = t.pid
	GROUP BY t.process HAVING sum(iif(s.stack IN gc_stack, s.value, 0)) >= coalesce(:collecting, 0.5) * sum(s.value)),
alone AS MATERIALIZED (
	SELECT o.process, ifnull(b.count, 0) AS count, min(1.0, o.gc * 1.0 / span.ns) AS share, b.p50, b.max, 1 AS threads, 1 AS gc,
		CASE WHEN b.kind = 'gc' THEN 'pause.gc' WHEN b.count AND o.process NOT IN (SELECT process FROM one_runs) THEN 'pause.burst'
			ELSE 'cpu.time' END AS metric, 0 AS everybody
	FROM (SELECT o.process, o.busy, max(o.gc, ifnull(g.ns, 0), ifnull(i.gc, 0)) AS gc -- from samples, or what the runtime tells
		FROM only o LEFT JOIN pause_summary g ON g.process = o.process AND g.kind = 'gc' LEFT JOIN in_burst i ON i.process = o.process) o LEFT JOIN pause_summary b ON b.process = o.process
		AND b.kind = iif(EXISTS (SELECT 1 FROM pause_summary e WHERE e.process = o.process AND e.kind = 'gc' AND 2 * e.ns >= o.gc), 'gc', 'burst'), span
	WHERE o.gc >= coalesce(:alone, 0.15) * o.busy AND o.gc >= coalesce(:share, 0.05) * span.ns
		AND o.process NOT IN (SELECT process FROM stopped)
		AND o.process NOT IN (SELECT process FROM runtime WHERE name IN ('HotSpot', 'Go', '.NET'))),
client AS MATERIALIZED (
	SELECT t.process AS server, w.task, sum(w.ns) AS ns FROM waits_for w JOIN thread t ON t.task = w.other_task
	JOIN thread v ON v.task = w.task, span
	WHERE v.process <> t.process AND NOT v.own AND NOT v.kernel GROUP BY t.process, w.task
	HAVING sum(w.ns) >= coalesce(:client, 0.1) * span.ns),
found AS MATERIALIZED (
	SELECT f.*, r.name AS runtime, f.gc >= coalesce(:collecting, 0.5) AS collects
	FROM (SELECT * FROM told UNION ALL SELECT * FROM stopped UNION ALL SELECT * FROM alone) f LEFT JOIN runtime r ON r.process = f.process)
SELECT iif(f.everybody OR f.process IN (SELECT server FROM client), 'waited', 'none') AS urgency,
	min(1, f.share) AS impact, p.comm, p.pid, printf('%.0f', 100 * f.share) AS share,
	CASE WHEN f.runtime IS NULL THEN iif(f.collects, 'its garbage collector', 'a thread of its own that stops the others')
		ELSE iif(f.collects, 'the garbage collector of ', 'its runtime, ') || f.runtime END AS what,
	iif(f.max, printf(', %.0f ms at the most', f.max / 1e6), '') AS longest,
	iif(f.runtime IS NULL, NULL, 'runtime') AS resource_kind, f.runtime AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'culprit', 'pid', p.pid, 'tid', 0, 'comm', p.comm, 'cgroup', g.path) AS x
		UNION ALL
		SELECT * FROM (SELECT json_object('role', 'victim', 'pid', t.pid, 'tid', t.tid, 'comm', t.comm, 'cgroup', t.cgroup)
			FROM client c JOIN thread t USING (task) WHERE c.server = f.process ORDER BY c.ns DESC LIMIT 10))) AS affected,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('metric', 'stopped', 'value', 100 * f.share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.05)) AS x
		UNION ALL SELECT json_object('metric', 'pauses', 'value', f.count * 1e9 / span.ns, 'unit', '/s') FROM span WHERE f.count
		UNION ALL SELECT json_object('metric', 'pause p50', 'value', f.p50 / 1e6, 'unit', 'ms') WHERE f.count
		UNION ALL SELECT json_object('metric', 'pause max', 'value', f.max / 1e6, 'unit', 'ms') WHERE f.count
		UNION ALL SELECT json_object('metric', 'threads stopped at once', 'value', f.threads, 'unit', 'threads') WHERE f.threads
		UNION ALL SELECT json_object('metric', 'collecting garbage meanwhile', 'value', 100 * f.gc, 'unit', '%',
			'threshold', 100 * coalesce(:collecting, 0.5)) WHERE f.collects AND f.metric = 'pause.world')) AS evidence,
	json_array(json_object('role', 'culprit', 'metric', f.metric, 'process', f.process),
		json_object('role', 'victim', 'metric', iif(f.everybody, 'wait.lock', 'none'), 'process', f.process)) AS stacks
FROM found f JOIN process p ON p.id = f.process LEFT JOIN cgroup g ON g.id = p.cgroup
ORDER BY f.share DESC LIMIT 5;
