-- Statistics are taken early, while a table is small, and then whenever it has changed as much as it holds: every statement
-- goes by a key, so what matters is that there are some. At a fiftieth of the rows they were taken every ten seconds, which
-- was a twentieth of both cores under load.
ALTER TABLE tasks SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE goals SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_00 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_01 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_02 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_03 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_04 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_05 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_06 SET (autovacuum_analyze_scale_factor = 1);
ALTER TABLE log_07 SET (autovacuum_analyze_scale_factor = 1);
