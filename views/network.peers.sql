-- SPDX-License-Identifier: BSD-2-Clause
-- title: Who calls whom within this host
SELECT sum(e.count) AS looks, a.process_comm AS client, a.pid AS client_pid, b.process_comm AS server, b.pid AS server_pid,
	r.name AS service
FROM edge e JOIN metric m ON m.id = e.kind JOIN thread a ON a.task = e.task JOIN thread b ON b.task = e.other_task
	JOIN resource r ON r.id = e.resource
WHERE m.name = 'connection.peer' AND NOT a.own AND NOT b.own
GROUP BY a.process, b.process, r.id ORDER BY looks DESC;
