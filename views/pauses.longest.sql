-- SPDX-License-Identifier: BSD-2-Clause
-- title: The longest pauses; at: since the recording's start
SELECT p.ns AS length_ns, p.start_ns AS at_ns,
	CASE p.kind WHEN 'world' THEN 'all threads' WHEN 'burst' THEN 'event loop' WHEN 'gc' THEN 'collection' ELSE 'stopped' END AS what,
	iif(p.kind = 'world', p.threads, NULL) AS threads, t.process_comm AS process, t.pid, t.comm AS thread
FROM pause p JOIN thread t ON t.task = p.task ORDER BY p.ns DESC;
