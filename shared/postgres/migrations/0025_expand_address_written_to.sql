-- What a mail was last written to. A report of a mail server counts for that address alone: anybody can write one.
ALTER TABLE deliveries ADD COLUMN address_hash bytea;
