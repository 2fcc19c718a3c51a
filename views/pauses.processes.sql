-- SPDX-License-Identifier: BSD-2-Clause
-- title: Processes that stood still: all threads at once, in one burst of an event loop, while it collected garbage, or stopped from outside
SELECT s.ns AS lost_ns, 100.0 * s.ns / (SELECT ns FROM period) AS share_percent, s.count AS pauses, s.p50 AS p50_ns,
	s.max AS longest_ns, a.name AS what,
	iif(s.kind = 'world', s.threads, NULL) AS threads, r.name AS runtime, p.pid, p.comm AS process
FROM pause_of_note s JOIN pause_name a USING (kind) JOIN process p ON p.id = s.process LEFT JOIN runtime r ON r.process = s.process
ORDER BY s.ns DESC;
