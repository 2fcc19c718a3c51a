-- SPDX-License-Identifier: BSD-2-Clause
-- title: Connects are refused or nobody answers them
-- summary: {comm} cannot connect to {service}: {failed} of {tried} attempts {how}
-- explain: Counts each process's connects to each address and port that were refused, timed out, had no way there or no local port left; one that its
--    owner gave up after a tenth of a second or more counts as timed out; if none was ever answered, so do those that are given up
--    earlier, and one that still stands. A name may have addresses of both families, of which one is tried first: who is refused there and then gets through to the
--    same port at the other loses next to nothing. Some programs try a port to see whether somebody
--    is there and go on without: a few failures, or few among many successes, are no fault.
-- threshold count = 5: failures; fewer are a program that starts before the one it needs
-- threshold rate = 0.5: failures a second
-- threshold share = 0.1: of all its attempts there
-- threshold instead = 0.9: of what is refused, followed by the same process's connect to that port in the other family
-- threshold instead_most = 2: such connects for each that is refused; if there are more, they are to other services
-- threshold standing = 0.3: connects that stand without an answer, on average, where not one was answered
-- action: {advice}
-- action: See who listens: ss -ltnp; and what lies between: the firewall's rules and routes of both sides
-- runbook: network-latency
WITH span AS MATERIALIZED (SELECT ns FROM period),
attempt AS MATERIALIZED (
	SELECT t.process, t.pid, t.process_comm AS comm, t.cgroup, r.name AS service,
		sum(iif(m.name = 'connection.opened', s.count, 0)) AS opened,
		sum(iif(m.name = 'connection.refused', s.count, 0)) AS refused,
		sum(iif(m.name = 'connection.timed_out', s.count, 0)) AS timed_out,
		sum(iif(m.name = 'connection.unreachable', s.count, 0)) AS unreachable,
		sum(iif(m.name = 'connection.no_port', s.count, 0)) AS no_port,
		sum(iif(m.name = 'connection.abandoned', s.count, 0)) AS abandoned,
		sum(iif(m.name = 'connection.unanswered', s.value, 0)) AS unanswered_ns
	FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task JOIN resource r ON r.id = s.resource
	WHERE m.name IN ('connection.opened', 'connection.refused', 'connection.timed_out', 'connection.unreachable',
		'connection.no_port', 'connection.abandoned', 'connection.unanswered') AND NOT t.own
	GROUP BY t.process, r.id),
-- Many short-lived processes of one name are one caller.
named AS MATERIALIZED (
	SELECT comm, service, sum(opened) AS opened, sum(refused) AS refused, sum(timed_out) AS ended, sum(unreachable) AS unreachable,
		sum(no_port) AS no_port,
		iif(sum(opened) OR sum(refused), 0, sum(abandoned)) AS given_up, sum(unanswered_ns) AS unanswered_ns, max(pid) AS pid, max(process) AS process
	FROM attempt GROUP BY comm, service),
-- What still stands has timed out if nobody has ever answered.
standing AS MATERIALIZED (
	SELECT n.*, iif(n.opened OR n.refused, 0.0, n.unanswered_ns * 1.0 / span.ns) AS unanswered FROM named n, span),
waiting AS MATERIALIZED (
	SELECT *, ended + given_up + max(CAST(round(unanswered) AS INTEGER), unanswered >= coalesce(:standing, 0.3)) AS timed_out FROM standing),
placed AS MATERIALIZED (
	SELECT process, comm, service, opened, refused + unreachable + abandoned AS failed, service GLOB '[[]*' AS ipv6,
		substr(service, length(rtrim(service, '0123456789')) + 1) AS port
	FROM attempt),
reached AS MATERIALIZED (SELECT process, port, ipv6, sum(opened) AS opened FROM placed GROUP BY process, port, ipv6),
instead AS MATERIALIZED (
	SELECT a.comm, a.service FROM placed a
	LEFT JOIN reached b ON b.process = a.process AND b.port = a.port AND b.ipv6 <> a.ipv6 GROUP BY a.comm, a.service
	HAVING sum(a.failed) AND NOT sum(a.opened) AND sum(min(a.failed, ifnull(b.opened, 0))) >= coalesce(:instead, 0.9) * sum(a.failed)
		AND sum(ifnull(b.opened, 0)) <= coalesce(:instead_most, 2) * sum(a.failed)),
caller AS MATERIALIZED (
	SELECT w.*, refused + timed_out + unreachable + no_port AS failed, max(refused, timed_out, unreachable, no_port) AS most,
		timed_out = given_up AND (comm, service) IN (SELECT comm, service FROM instead) AS instead
	FROM waiting w)
SELECT iif(c.instead, 'none', 'waited') AS urgency, c.failed * 1.0 / (c.failed + c.opened) AS impact, c.comm, c.service, c.failed,
	c.failed + c.opened AS tried,
	CASE c.most WHEN c.refused THEN 'are refused' WHEN c.timed_out THEN 'time out'
		WHEN c.no_port THEN 'find no local port' ELSE 'find no way there' END AS how,
	CASE c.most
		WHEN c.refused THEN 'Nothing listens at ' || c.service || ': start what should, or give ' || c.comm || ' the right address'
		WHEN c.timed_out THEN 'Nobody answers at ' || c.service || ': the host is down, packets are dropped on the way, or the '
			|| 'listener''s queue is full (net.accept-queue)'
		WHEN c.no_port THEN 'Connections that ' || c.comm || ' has closed keep their local ports for a minute: keep connections open and use them '
			|| 'again; or allow more ports: sysctl net.ipv4.ip_local_port_range, net.ipv4.tcp_tw_reuse'
		ELSE 'There is no route to ' || c.service || ': look at ip route get' END AS advice,
	'service' AS resource_kind, c.service AS resource_name,
	(SELECT json_group_array(json(x)) FROM (
		SELECT json_object('role', 'victim', 'pid', a.pid, 'tid', 0, 'comm', a.comm, 'cgroup', a.cgroup) AS x
		FROM attempt a WHERE a.comm = c.comm AND a.service = c.service
		ORDER BY a.refused + a.timed_out + a.unreachable + a.no_port DESC, a.unanswered_ns DESC LIMIT 8)) AS affected,
	json_array(
		json_object('metric', 'failed connects', 'value', c.failed, 'unit', 'count', 'threshold', coalesce(:count, 5)),
		json_object('metric', 'a second', 'value', c.failed * 1e9 / span.ns, 'unit', '1/s', 'threshold', coalesce(:rate, 0.5)),
		json_object('metric', 'of all attempts', 'value', 100.0 * c.failed / (c.failed + c.opened), 'unit', '%',
			'threshold', 100 * coalesce(:share, 0.1)),
		json_object('metric', 'refused', 'value', c.refused, 'unit', 'count'),
		json_object('metric', 'timed out', 'value', c.timed_out, 'unit', 'count'),
		json_object('metric', 'unreachable', 'value', c.unreachable, 'unit', 'count'),
		json_object('metric', 'without a local port', 'value', c.no_port, 'unit', 'count'),
		json_object('metric', 'standing without an answer', 'value', c.unanswered, 'unit', 'connects',
			'threshold', coalesce(:standing, 0.3))) AS evidence,
	json_array(json_object('role', 'victim', 'metric', iif(c.timed_out, 'wait.net', 'cpu.time'), 'process', c.process)) AS stacks
FROM caller c, span
WHERE (c.failed >= coalesce(:count, 5) AND c.failed * 1e9 / span.ns >= coalesce(:rate, 0.5)
		AND c.failed >= coalesce(:share, 0.1) * (c.failed + c.opened))
	OR c.unanswered >= coalesce(:standing, 0.3)
ORDER BY c.failed DESC LIMIT 5;
