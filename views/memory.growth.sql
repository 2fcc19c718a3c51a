-- SPDX-License-Identifier: BSD-2-Clause
-- title: Where memory that stays was touched first (perfscope flamegraph --kind memory)
SELECT sum(s.value) AS grown_bytes, t.process_comm AS process, t.pid, ifnull(k.path, 'stack not readable') AS function
FROM sample_total s JOIN metric m ON m.id = s.metric JOIN thread t ON t.task = s.task LEFT JOIN stack_speaker k ON k.stack = s.stack
WHERE m.name = 'memory.growth' AND NOT t.own
GROUP BY t.process, k.path HAVING sum(s.value) > 0 ORDER BY grown_bytes DESC;
