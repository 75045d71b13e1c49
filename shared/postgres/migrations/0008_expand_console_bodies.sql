-- The console takes large texts too (`POST /v1/bodies`); its own_tenant policy binds what it keeps.
GRANT INSERT, UPDATE ON bodies TO tocsin_console;
