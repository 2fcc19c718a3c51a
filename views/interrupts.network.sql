-- SPDX-License-Identifier: BSD-2-Clause
-- title: The network's soft interrupts: what they could not do in time
SELECT CAST(sum(g.value) AS INTEGER) AS times, m.help AS what
FROM gauge g JOIN metric m ON m.id = g.metric
WHERE m.name IN ('net.budget_exhausted', 'net.backlog_drops') GROUP BY m.id HAVING sum(g.value) > 0 ORDER BY times DESC;
