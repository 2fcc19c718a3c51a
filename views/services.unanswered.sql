-- SPDX-License-Identifier: BSD-2-Clause
-- title: Without an answer at the end, for a second or longer; client sent last: it waits, or wants no answer
SELECT sum(u.count) AS count, sum(u.ns) / sum(u.count) AS so_far_ns,
	CASE u.kind WHEN 'request' THEN 'request in work' WHEN 'unread' THEN 'request nobody received'
		WHEN 'silent' THEN 'client sent last' ELSE 'call' END AS what,
	t.pid, ifnull(t.process_comm, '') AS process, s.name AS service
FROM unanswered u JOIN service s ON s.resource = u.resource LEFT JOIN thread t ON t.task = u.task
WHERE t.own IS NOT 1 GROUP BY u.kind, t.process, u.resource ORDER BY sum(u.ns) DESC;
