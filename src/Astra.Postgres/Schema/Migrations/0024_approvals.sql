-- A task that waits for people's votes. Few do; a column without values costs the others nothing, and what is asked of
-- people is found by an index of its own.
ALTER TABLE tasks ADD COLUMN asks_approval boolean NOT NULL DEFAULT false;
CREATE INDEX tasks_to_approve ON tasks (tenant, id) WHERE asks_approval;
