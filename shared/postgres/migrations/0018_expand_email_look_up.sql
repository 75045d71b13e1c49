-- Under row-level security an index on lower(email) cannot be gone by, since lower() is not leakproof: every look-up of
-- a user by e-mail read all users. A column that holds it is compared by equality alone, which is.
ALTER TABLE users ADD COLUMN email_lower text GENERATED ALWAYS AS (lower(email)) STORED;
CREATE INDEX users_email_lower ON users (tenant, email_lower);
