-- SPDX-License-Identifier: BSD-2-Clause
-- title: Memory of the machine
-- at end: levels; amount: what happened meanwhile
WITH known AS MATERIALIZED (
	SELECT m.id, m.name, m.help, g.slice, g.value, m.name IN ('swap.in', 'swap.out', 'memory.refaults', 'memory.reclaimed_direct',
			'memory.reclaimed_background') AS is_amount
	FROM main.gauge g JOIN metric m ON m.id = g.metric
	WHERE (m.name GLOB 'memory.*' OR m.name GLOB 'swap.*') AND m.unit = 'bytes' AND g.slice <= (SELECT last FROM period)),
last_level AS (SELECT name, help, is_amount, value, max(slice) FROM known WHERE NOT is_amount GROUP BY id),
first_level AS (SELECT name, value, min(iif(slice <= (SELECT first FROM period), -slice, slice)) FROM known WHERE NOT is_amount GROUP BY id),
amount AS (
	SELECT name, help, sum(value) AS value FROM known WHERE is_amount AND slice >= (SELECT first FROM period) GROUP BY id)
SELECT CAST(l.value AS INTEGER) AS at_end_bytes, CAST(nullif(l.value - f.value, 0) AS INTEGER) AS change_bytes, NULL AS amount_bytes,
	l.name, l.help AS what
FROM last_level l JOIN first_level f USING (name) WHERE l.value
UNION ALL
SELECT NULL, NULL, CAST(value AS INTEGER), name, help FROM amount WHERE value;
