-- What one request came to is asked for by the id that its answer had, all attempts together.
CREATE INDEX usage_of_request ON model_usage (tenant, request);

-- What an answer cost when it was recorded: whoever works within a limit of money is told the same in a replay.
ALTER TABLE goal_recordings ADD COLUMN cost_nanos bigint NOT NULL DEFAULT 0 CONSTRAINT recorded_cost_not_negative CHECK (cost_nanos >= 0);
