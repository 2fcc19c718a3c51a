-- SPDX-License-Identifier: BSD-2-Clause
-- title: The longest pauses; at: since the recording's start
SELECT p.ns AS length_ns, p.start_ns AS at_ns,
	a.name AS what,
	iif(p.kind = 'world', p.threads, NULL) AS threads, t.process_comm AS process, t.pid, t.comm AS thread
FROM pause p JOIN pause_name a USING (kind) JOIN thread t ON t.task = p.task
WHERE (p.process, p.kind) IN (SELECT process, kind FROM pause_of_note)
ORDER BY p.ns DESC;
