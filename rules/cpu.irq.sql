-- SPDX-License-Identifier: BSD-2-Clause
-- title: Interrupts take a CPU
-- summary: {kind} {name} takes {share} % of CPU {cpu}, {rate} times a second{during}
-- explain: Asks how long each CPU is in the handler of each hard interrupt and in each kind of soft interrupt. What runs there
--    is stopped meanwhile, whoever it is. A busy network or disk costs some of that for work that is wanted; so
--    many runs that the CPU does little else, or very many that each do next to nothing, are a fault of their own.
-- threshold share = 0.6: of one CPU by one handler; what services at full load send over loopback comes near half of one
-- threshold small = 0.18: of one CPU, if the runs are very many
-- threshold rate = 150000: runs a second on one CPU, for that; a CPU that serves requests as fast as it can stays below
-- threshold ticks = 15000: the same of timers, of which even a busy machine has some thousands
-- threshold timers = 0.07: of one CPU, if those are so many
-- threshold hot = 0.5: of the samples in these interrupts in one process, for it to be named as their reason
-- action: See what comes in: perfscope report, the rows of {name}'s devices; for the network ss -s, nstat and ethtool -S
-- action: Let fewer, larger pieces come (interrupt coalescing, GRO, larger messages), or spread them over CPUs (RSS, RPS, irqbalance, smp_affinity)
-- action: See what is done there: perfscope flamegraph --kind cpu
-- runbook: high-cpu
WITH RECURSIVE span AS MATERIALIZED (SELECT ns FROM period),
amount AS MATERIALIZED (
	SELECT substr(resource, 1, instr(resource, ':') - 1) AS cpu, substr(resource, instr(resource, ':') + 1) AS name,
		resource_kind AS kind, sum(iif(metric GLOB '*.time', value, 0)) AS ns, sum(iif(metric GLOB '*.count', value, 0)) AS count
	FROM level WHERE metric IN ('irq.time', 'irq.count', 'softirq.time', 'softirq.count') GROUP BY resource_kind, resource),
-- many, some: how often it must run to be a fault with that share.
judged AS MATERIALIZED (
	SELECT a.*, a.ns / span.ns AS share, a.count * 1e9 / span.ns AS rate, iif(a.timer, coalesce(:ticks, 15000), coalesce(:rate, 150000)) AS many,
		iif(a.timer, coalesce(:timers, 0.07), coalesce(:small, 0.18)) AS some
	FROM (SELECT *, name IN ('timer', 'TIMER', 'HRTIMER') AS timer FROM amount) a, span),
high AS MATERIALIZED (SELECT * FROM judged WHERE share >= coalesce(:share, 0.6) OR (share >= some AND rate >= many)),
found AS MATERIALIZED (
	SELECT *, sum(ns) OVER (PARTITION BY kind, name) AS all_ns, row_number() OVER (PARTITION BY kind, name ORDER BY ns DESC) AS place
	FROM high),
-- Whose samples are below that soft interrupt's handler, or below the interrupt itself.
entry AS MATERIALIZED (
	SELECT f.kind, f.name, n.frame FROM found f JOIN frame_name n ON n.kind = 'kernel' AND CASE f.name
		WHEN 'NET_RX' THEN n.name IN ('net_rx_action', '__napi_poll', 'process_backlog')
		WHEN 'NET_TX' THEN n.name = 'net_tx_action'
		WHEN 'BLOCK' THEN n.name = 'blk_done_softirq'
		WHEN 'TIMER' THEN n.name GLOB 'run_timer_softirq*'
		WHEN 'HRTIMER' THEN n.name GLOB 'hrtimer_run_softirq*'
		WHEN 'TASKLET' THEN n.name GLOB 'tasklet_action*'
		WHEN 'RCU' THEN n.name GLOB 'rcu_core*'
		WHEN 'timer' THEN n.name GLOB '*sysvec_apic_timer_interrupt*'
		ELSE n.name IN ('common_interrupt', 'asm_common_interrupt', 'handle_irq_event', 'el1h_64_irq') END
	WHERE f.place = 1),
below(kind, name, id) AS (
	SELECT e.kind, e.name, s.id FROM entry e JOIN stack s USING (frame)
	UNION
	SELECT b.kind, b.name, s.id FROM below b JOIN stack s ON s.parent = b.id),
sampled AS MATERIALIZED (
	SELECT t.process, c.stack, sum(c.value) AS ns FROM sample_total c JOIN metric m ON m.id = c.metric JOIN task t ON t.id = c.task
	WHERE m.name = 'cpu.time' AND c.stack IS NOT NULL GROUP BY t.process, c.stack),
hit AS MATERIALIZED (
	SELECT b.kind, b.name, s.process, sum(s.ns) AS ns, sum(s.ns) * 1.0 / sum(sum(s.ns)) OVER (PARTITION BY b.kind, b.name) AS share
	FROM below b JOIN sampled s ON s.stack = b.id JOIN process p ON p.id = s.process
	WHERE NOT p.flags & 2 GROUP BY b.kind, b.name, s.process),
during AS MATERIALIZED (
	SELECT h.*, p.pid, p.comm, p.cgroup, p.running, row_number() OVER (PARTITION BY h.kind, h.name ORDER BY h.ns DESC) AS place
	FROM hit h JOIN process_state p USING (process) WHERE NOT p.kernel)
-- What an interrupt leads to on its way back, such as a signal's delivery, is lost as well.
SELECT 'waited' AS urgency, min(1, max(f.share, ifnull(d.ns * 1.0 / max(span.ns, d.running), 0))) AS impact,
	iif(f.kind = 'irq', 'hard interrupt', 'soft interrupt') AS kind, f.name, f.cpu,
	printf('%.0f', 100 * f.share) AS share, printf('%.0f', f.rate) AS rate,
	ifnull(', most of it while ' || d.comm || ' runs', '') AS during,
	f.kind AS resource_kind, f.name || ' on CPU ' || f.cpu AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', iif(share >= coalesce(:hot, 0.5), 'culprit', 'victim'), 'pid', pid, 'tid', 0, 'comm', comm,
			'cgroup', cgroup) AS x
		FROM during u WHERE u.kind = f.kind AND u.name = f.name AND u.place <= 5 ORDER BY share >= coalesce(:hot, 0.5) DESC, ns DESC)) AS affected,
	json_array(
		json_object('metric', f.name || ' on CPU ' || f.cpu, 'value', 100 * f.share, 'unit', '%',
			'threshold', 100 * iif(f.share >= coalesce(:share, 0.6), coalesce(:share, 0.6), f.some)),
		json_object('metric', 'runs of it there', 'value', f.rate, 'unit', '/s'),
		json_object('metric', 'each run', 'value', f.ns / 1e3 / max(f.count, 1), 'unit', 'us'),
		json_object('metric', f.name || ' on all CPUs', 'value', 100.0 * f.all_ns / span.ns, 'unit', '% of a CPU')) AS evidence,
	json_array(json_object('role', 'hot', 'metric', 'cpu.time', 'process', d.process, 'function', (
		SELECT n.name FROM entry e JOIN frame_name n USING (frame) JOIN stack s USING (frame) JOIN below b ON b.id = s.id
		WHERE e.kind = f.kind AND e.name = f.name LIMIT 1))) AS stacks
FROM found f LEFT JOIN during d ON d.kind = f.kind AND d.name = f.name AND d.place = 1, span
WHERE f.place = 1 ORDER BY f.share DESC LIMIT 3;
