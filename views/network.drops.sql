-- SPDX-License-Identifier: BSD-2-Clause
-- title: Packets that this host threw away
SELECT sum(iif(m.name = 'packet.drops', s.value, 0)) AS drops, sum(iif(m.name = 'packet.dropping', s.value, 0)) AS time_ns,
	t.process_comm AS process, t.pid, r.name AS place
FROM sample_total s JOIN metric m ON m.id = s.metric JOIN resource r ON r.id = s.resource LEFT JOIN thread t ON t.task = s.task
WHERE m.name IN ('packet.drops', 'packet.dropping') AND NOT ifnull(t.own, 0)
GROUP BY t.process, r.id ORDER BY drops DESC;
