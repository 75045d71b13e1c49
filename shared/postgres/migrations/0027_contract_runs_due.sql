-- Runs are found by tenant; see 0026.
DROP INDEX runs_due;
