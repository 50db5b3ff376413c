-- Which attempt at its task had asked, 0 where it did not say: a replay gives what the last one was answered.
ALTER TABLE goal_recordings ADD COLUMN attempt integer NOT NULL DEFAULT 0 CONSTRAINT recorded_attempt_not_negative CHECK (attempt >= 0);
