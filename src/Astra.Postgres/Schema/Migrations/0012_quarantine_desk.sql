-- A goal in quarantine is let out, with all its rows made anew, or given up: then its rows go, and what remains is that
-- somebody gave it up, so that whatever the log still says of it is passed over and its segments can be dropped.
ALTER TABLE quarantined_goals ADD COLUMN discarded_at timestamptz;
CREATE INDEX quarantined_goals_of_shard ON quarantined_goals (shard);
GRANT UPDATE (reason, quarantined_at, discarded_at), DELETE ON quarantined_goals TO astra_journal;
GRANT DELETE ON goals TO astra_journal;
