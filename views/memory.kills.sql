-- SPDX-License-Identifier: BSD-2-Clause
-- title: Processes that the kernel killed for want of memory; at: since the recording's start
SELECT e.time_ns AS at_ns, t.process_comm AS process, t.pid, t.cgroup, e.detail AS held
FROM event e JOIN thread t ON t.task = e.task WHERE e.kind = 'oom.kill' ORDER BY e.time_ns;
