-- title: a busy process
-- summary: {comm} runs {ns} ns
-- explain: it runs,
--    and goes on here
-- action: look at it
-- threshold share = 0.2: a fifth is felt
SELECT 'warning' AS severity, 0.5 AS impact, comm, pid, sum(value) AS ns,
	json_array(json_object('role', 'culprit', 'pid', pid)) AS affected
FROM sample JOIN task ON task.id = sample.task JOIN process USING(process) GROUP BY pid
