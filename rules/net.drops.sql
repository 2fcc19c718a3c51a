-- SPDX-License-Identifier: BSD-2-Clause
-- title: Packets are dropped on this host
-- summary: {drops} packets {whose} are dropped: {words} ({place})
-- explain: The kernel says of each packet that it throws away why, and where in its code. Those that nobody wanted, duplicates and the like,
--    are left out. A datagram that is dropped is lost to its program: the more of all, the worse. TCP sends again, and a queue that is full now and then is how it learns
--    the speed of a path; so drops of its packets count only where the process sends a noticeable share of its segments again. A filter that
--    keeps strangers out drops packets that no program here has a port for: those are told, but harm nobody.
-- threshold drops = 50: in all
-- threshold rate = 10: a second; fewer is a burst now and then
-- threshold share = 0.2: of the time that is looked at, in tenths of seconds in which packets were dropped
-- threshold again = 0.02: of the TCP segments that the process sends; as in net.retransmits
-- threshold again_drops = 5: of TCP, where so many are sent again and half of those were dropped here, however rarely
-- action: {advice}
-- action: See the counters of the place: nstat -az, tc -s qdisc, nft list ruleset, cat /proc/net/softnet_stat, ss -lunm
-- runbook: packet-loss
WITH span AS MATERIALIZED (SELECT ns FROM period),
dropped AS MATERIALIZED (
	SELECT t.process, t.pid, t.process_comm AS comm, t.cgroup, r.name,
		substr(r.name, 1, ifnull(nullif(instr(r.name, ', tcp port ') + instr(r.name, ', udp port '), 0) - 1, length(r.name))) AS place,
		instr(r.name, ', tcp port ') > 0 AS tcp,
		sum(iif(m.name = 'packet.drops', s.value, 0)) AS drops, sum(iif(m.name = 'packet.dropping', s.value, 0)) AS ns
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource LEFT JOIN thread t ON t.task = s.task
	WHERE m.name IN ('packet.drops', 'packet.dropping') AND NOT ifnull(t.own, 0) GROUP BY t.process, r.id),
-- One place that loses packets of many ports is one place.
lost AS MATERIALIZED (
	SELECT process, pid, comm, cgroup, place, tcp, sum(drops) AS drops, max(ns) AS ns, max(drops) AS most, name, count(*) AS ports,
		substr(place, 1, ifnull(nullif(instr(place, ' in '), 0) - 1, length(place))) AS reason
	FROM dropped GROUP BY process, place, tcp),
again AS MATERIALIZED (
	SELECT t.process, sum(iif(m.name = 'connection.sent', s.count, 0)) AS segments,
		sum(iif(m.name = 'connection.retransmits', s.value, 0)) AS again
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE m.name IN ('connection.sent', 'connection.retransmits') GROUP BY t.process),
-- Datagrams that arrived, in this namespace: how many of all were lost.
arrived AS MATERIALIZED (SELECT ifnull(sum(value), 0) AS count FROM level WHERE metric = 'udp.received'),
-- Who talks to whom within this host: what is lost on the way to one is sent again by the other.
talks AS MATERIALIZED (
	SELECT DISTINCT a.process, b.process AS other
	FROM metric m JOIN edge_total e ON e.kind = m.id JOIN thread a ON a.task = e.task JOIN thread b ON b.task = e.other_task
	WHERE m.name = 'connection.peer'),
resent AS MATERIALIZED (
	SELECT l.process, max(a.again * 1.0 / a.segments) AS share, sum(a.again) AS count
	FROM (SELECT DISTINCT process FROM lost WHERE tcp) l
		JOIN again a ON a.process = l.process OR a.process IN (SELECT other FROM talks WHERE process = l.process
			UNION SELECT process FROM talks WHERE other = l.process)
	WHERE a.segments > 0 GROUP BY l.process),
doing AS MATERIALIZED (
	SELECT t.process, m.name AS metric, sum(s.value) AS ns
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task
	WHERE (m.name GLOB 'wait.*' OR m.name = 'cpu.time') AND t.process IN (SELECT process FROM lost) GROUP BY t.process, m.name),
judged AS MATERIALIZED (
	SELECT l.*, ifnull(r.share, 0) AS resent, ifnull(r.count, 0) AS resent_count, min(1.0, l.ns * 1.0 / span.ns) AS time_share,
		l.process IS NOT NULL AND (NOT l.tcp OR (ifnull(r.share, 0) >= coalesce(:again, 0.02) AND r.count >= 0.2 * l.drops
			AND l.drops >= 0.5 * r.count)) AS harms,
		l.reason IN ('SOCKET_RCVBUFF', 'SOCKET_BACKLOG', 'PROTO_MEM', 'TCP_OFO_QUEUE_PRUNE', 'TCP_OFO_DROP') AS unread
	FROM lost l LEFT JOIN resent r ON r.process = l.process, span
	WHERE l.drops >= coalesce(:again_drops, 5)),
-- A TCP connection with few packets loses few.
told AS MATERIALIZED (
	SELECT j.* FROM judged j, span
	WHERE (j.tcp AND j.harms) OR (j.drops >= coalesce(:drops, 50) AND j.drops * 1e9 >= coalesce(:rate, 10) * span.ns
		AND j.ns >= coalesce(:share, 0.2) * span.ns))
SELECT iif(j.harms, 'waited', 'none') AS urgency,
	iif(j.tcp, min(1.0, 10 * j.resent), min(j.time_share, j.drops * 1.0 / (j.drops + a.count))) AS impact,
	CAST(j.drops AS INTEGER) AS drops, iif(j.process IS NULL, 'of nobody here', 'of ' || j.comm) AS whose,
	CASE WHEN j.reason = 'SOCKET_RCVBUFF' THEN 'the receive buffer of its socket is full'
		WHEN j.unread THEN 'its socket has no room for them'
		WHEN j.reason = 'NETFILTER_DROP' THEN 'a rule of the firewall says so'
		WHEN j.reason IN ('TC_EGRESS', 'TC_INGRESS') THEN 'a filter of traffic control says so'
		WHEN j.reason IN ('XDP', 'BPF_CGROUP_EGRESS', 'SOCKET_FILTER') THEN 'a BPF program says so'
		WHEN j.reason GLOB 'QDISC_*' OR j.reason GLOB 'FQ_*' THEN 'the queue of the device is full'
		WHEN j.reason = 'CPU_BACKLOG' THEN 'the backlog of a CPU is full'
		WHEN j.reason GLOB 'NEIGH_*' THEN 'the next host does not answer'
		WHEN j.reason = 'FULL_RING' THEN 'the ring of the device is full'
		WHEN j.reason GLOB '*_CSUM' THEN 'their checksum is wrong'
		WHEN j.reason = 'PKT_TOO_BIG' THEN 'they are too large for the way'
		ELSE 'the kernel calls it ' || j.reason END AS words,
	CASE WHEN j.unread THEN 'See what keeps ' || j.comm || ' from reading: perfscope flamegraph --kind offcpu -p ' || j.pid
			|| '; a larger buffer (SO_RCVBUF, net.core.rmem_max) only helps against bursts'
		WHEN j.reason IN ('NETFILTER_DROP', 'TC_EGRESS', 'TC_INGRESS', 'XDP', 'BPF_CGROUP_EGRESS', 'SOCKET_FILTER')
			THEN 'Find the rule that drops them, and who put it there'
		WHEN j.reason GLOB 'QDISC_*' OR j.reason GLOB 'FQ_*' THEN 'Send less than the device is allowed to, or allow it more: tc -s qdisc show'
		WHEN j.reason = 'CPU_BACKLOG' THEN 'Spread packets over CPUs (RPS), or enlarge net.core.netdev_max_backlog'
		ELSE 'Look at the place in the kernel''s code that is named' END AS advice,
	iif(j.ports = 1, j.name, j.place || printf(', %d ports', j.ports)) AS place,
	'drop' AS resource_kind, iif(j.ports = 1, j.name, j.place) AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', iif(j.unread, 'culprit', 'victim'), 'pid', j.pid, 'tid', 0, 'comm', j.comm, 'cgroup', j.cgroup) AS x
		WHERE j.process IS NOT NULL)) AS affected,
	json_array(
		json_object('metric', 'packets dropped', 'value', j.drops, 'unit', 'count', 'threshold', coalesce(:drops, 50)),
		json_object('metric', 'a second', 'value', j.drops * 1e9 / span.ns, 'unit', '1/s', 'threshold', coalesce(:rate, 10)),
		json_object('metric', 'time in which some were', 'value', 100 * j.time_share, 'unit', '%', 'threshold', 100 * coalesce(:share, 0.2)),
		json_object('metric', 'TCP segments sent again', 'value', 100 * j.resent, 'unit', '%')) AS evidence,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', iif(j.unread, 'culprit', 'victim'), 'metric', d.metric, 'process', d.process) AS x FROM doing d
		WHERE d.process = j.process
		ORDER BY d.metric = 'cpu.time' AND d.ns >= 0.5 * (SELECT ns FROM span) DESC, d.ns DESC LIMIT 1)) AS stacks
FROM told j, span, arrived a
ORDER BY j.harms DESC, j.drops DESC LIMIT 5;
