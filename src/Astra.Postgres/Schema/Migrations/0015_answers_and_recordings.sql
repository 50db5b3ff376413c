-- Answers from the cache are counted before they are written: one record for many, and nothing to pay.
ALTER TABLE model_usage ADD COLUMN calls bigint NOT NULL DEFAULT 1 CONSTRAINT calls_were_made CHECK (calls > 0);
ALTER TABLE model_usage DROP CONSTRAINT outcome_is_known;
ALTER TABLE model_usage ADD CONSTRAINT outcome_is_known CHECK (outcome BETWEEN 1 AND 6);
