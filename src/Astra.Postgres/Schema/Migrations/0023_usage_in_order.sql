-- Usage is written as it happens: what is to be forgotten lies together, and a coarse index finds it for next to nothing.
DROP INDEX usage_to_forget;
CREATE INDEX usage_to_forget ON model_usage USING brin (at);
