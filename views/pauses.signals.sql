-- SPDX-License-Identifier: BSD-2-Clause
-- title: Processes that were stopped, or ended by a signal, and by whom; at: since the recording's start
SELECT e.time_ns AS at_ns, substr(e.kind, 9) AS what, t.process_comm AS process, t.pid, e.detail AS by
FROM event e JOIN thread t ON t.task = e.task WHERE e.kind IN ('process.stop', 'process.killed') AND NOT t.own ORDER BY e.time_ns;
