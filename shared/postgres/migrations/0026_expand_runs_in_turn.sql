-- Tenants take turns with their runs, so each tenant's next one must be found without reading all that wait.
CREATE INDEX runs_waiting ON runs (tenant, due_at) WHERE state = 'waiting';
