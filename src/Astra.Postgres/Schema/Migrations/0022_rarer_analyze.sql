-- Statistics are taken early, while a table is small, and then whenever it has changed as much as it holds: every statement
-- goes by a key, so what matters is that there are some. At a fiftieth of the rows they were taken every ten seconds, which
-- was a twentieth of both cores under load. Dead versions are few, since most rows are pruned on their page, and each sweep
-- reads every index from end to end: a tenth of a table may be dead.
ALTER TABLE tasks SET (autovacuum_analyze_scale_factor = 1, autovacuum_vacuum_scale_factor = 0.1);
ALTER TABLE goals SET (autovacuum_analyze_scale_factor = 1, autovacuum_vacuum_scale_factor = 0.1);
ALTER TABLE log_00 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_01 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_02 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_03 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_04 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_05 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_06 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_07 SET (autovacuum_analyze_scale_factor = 1);
