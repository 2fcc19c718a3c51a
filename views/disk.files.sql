-- SPDX-License-Identifier: BSD-2-Clause
-- title: Files that processes wait for: their reads, and until what they have written is on the disk
-- waits: about as many, in calls of this kind; a call may wait several times
WITH RECURSIVE other AS MATERIALIZED (
	SELECT w.task, w.stack, w.resource, w.count, w.ns FROM wait_stack w JOIN resource r ON r.id = w.resource AND r.kind = 'file'
	WHERE w.cause = 'disk' AND w.stack NOT IN (SELECT id FROM sync_stack)),
up(leaf, id) AS (
	SELECT DISTINCT stack, stack FROM other
	UNION ALL
	SELECT u.leaf, s.parent FROM up u JOIN stack s USING (id) WHERE s.parent IS NOT NULL),
entered AS MATERIALIZED (
	-- Of some calls the compiler leaves no frame but what they jump to; all are called by x64_sys_call.
	SELECT u.leaf AS stack, ifnull(min(iif(f.name GLOB '*_sys_*', substr(f.name, instr(f.name, '_sys_') + 5), NULL)),
		min(substr(f.name, instr(f.name, '_') + 1))) AS call
	FROM up u JOIN stack s USING (id) JOIN frame_name f USING (frame)
	WHERE f.kind = 'kernel' AND f.name <> 'x64_sys_call' AND (f.name GLOB '*_sys_*' OR f.name IN ('do_preadv', 'do_readv', 'do_pwritev', 'do_writev',
		'vfs_read', 'vfs_readv', 'vfs_write', 'vfs_writev', 'io_read', 'io_write'))
	GROUP BY u.leaf),
waited AS MATERIALIZED (
	SELECT t.process, w.call, w.resource, sum(w.count) AS count, sum(w.ns) AS ns
	FROM (SELECT task, call, resource, count, ns FROM sync_wait
		UNION ALL
		SELECT task, call, resource, count, ns FROM other LEFT JOIN entered USING (stack)) w
	JOIN thread t ON t.task = w.task
	WHERE NOT t.own AND NOT t.kernel GROUP BY t.process, w.call, w.resource)
SELECT s.ns AS waited_ns, s.count AS waits, s.ns / nullif(s.count, 0) AS mean_ns, s.call, p.comm AS process, p.pid, r.name AS file
FROM waited s JOIN process p ON p.id = s.process LEFT JOIN resource r ON r.id = s.resource
ORDER BY s.ns DESC;
