-- A third policy for what waits for a dead task: left out, and no failure.
ALTER TABLE goals DROP CONSTRAINT dead_task_policy_is_known;
ALTER TABLE goals ADD CONSTRAINT dead_task_policy_is_known CHECK (dead_task_policy BETWEEN 1 AND 3);
