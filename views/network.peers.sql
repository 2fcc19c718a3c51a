-- SPDX-License-Identifier: BSD-2-Clause
-- title: Who calls whom within this host
SELECT sum(e.count) AS looks, a.process_comm AS client, min(a.pid) AS client_pid, nullif(count(DISTINCT a.process), 1) AS clients,
	b.process_comm AS server, min(b.pid) AS server_pid, nullif(count(DISTINCT b.process), 1) AS servers, r.name AS service
FROM edge e JOIN metric m ON m.id = e.kind JOIN thread a ON a.task = e.task JOIN thread b ON b.task = e.other_task
	JOIN resource r ON r.id = e.resource
WHERE m.name = 'connection.peer' AND NOT a.own AND NOT b.own
GROUP BY a.process_comm, b.process_comm, r.id ORDER BY looks DESC;
