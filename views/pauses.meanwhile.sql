-- SPDX-License-Identifier: BSD-2-Clause
-- title: What ran, or was waited for, in these pauses (perfscope flamegraph --kind pause)
SELECT sum(s.value) AS time_ns, a.name AS what, t.process_comm AS process, t.pid,
	t.comm AS thread, ifnull(n.name, 'stack not readable') AS function
FROM sample_total s JOIN metric m ON m.id = s.metric JOIN pause_name a ON m.name = 'pause.' || a.kind JOIN thread t ON t.task = s.task
	LEFT JOIN stack k ON k.id = s.stack LEFT JOIN frame_name n ON n.frame = k.frame
GROUP BY m.name, s.task, n.name ORDER BY time_ns DESC;
