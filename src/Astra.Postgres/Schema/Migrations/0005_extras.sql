-- What most goals and tasks do not have, as one list of tagged fields in the kernel's own form: a new field is a new
-- tag, not a new column that every row carries and every write names.
ALTER TABLE goals ADD COLUMN extras bytea NOT NULL DEFAULT ''::bytea;
ALTER TABLE tasks ADD COLUMN extras bytea NOT NULL DEFAULT ''::bytea;
