-- SPDX-License-Identifier: BSD-2-Clause
-- title: Files that processes wait for until they are on the disk
-- waits: about as many, in calls of this kind; a call may wait several times
WITH synced AS (
	SELECT t.process, w.call, w.resource, sum(w.count) AS count, sum(w.ns) AS ns
	FROM sync_wait w JOIN thread t ON t.task = w.task
	WHERE NOT t.own GROUP BY t.process, w.call, w.resource)
SELECT s.ns AS waited_ns, s.count AS waits, s.ns / nullif(s.count, 0) AS mean_ns, s.call, p.comm AS process, p.pid, r.name AS file
FROM synced s JOIN process p ON p.id = s.process LEFT JOIN resource r ON r.id = s.resource
ORDER BY s.ns DESC;
