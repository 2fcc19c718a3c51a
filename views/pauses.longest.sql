-- SPDX-License-Identifier: BSD-2-Clause
-- title: The longest pauses; at: since the recording's start
-- bursts of those alone that poll again and again, as in the table of processes
SELECT p.ns AS length_ns, p.start_ns AS at_ns,
	a.name AS what,
	iif(p.kind = 'world', p.threads, NULL) AS threads, t.process_comm AS process, t.pid, t.comm AS thread
FROM pause p JOIN pause_name a USING (kind) JOIN thread t ON t.task = p.task
WHERE p.kind <> 'burst' OR EXISTS (
	SELECT 1 FROM sample_total l JOIN metric m ON m.id = l.metric JOIN task k ON k.id = l.task
	WHERE m.name = 'loop.polls' AND k.process = p.process)
ORDER BY p.ns DESC;
