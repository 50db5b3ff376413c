-- The children of a goal. A goal's parent is the first of its extras: one byte, its tag, and sixteen that are its id; it
-- is there from the goal's first row on and never changes. So the index is over what is there already, and the rows of
-- goals without a parent, nearly all of them, cost nothing more to write.
CREATE INDEX children_of_goal ON goals (tenant, substring(extras FROM 1 FOR 17), id) WHERE substring(extras FROM 1 FOR 1) = '\x01'::bytea;
