-- No statement could go by it; see 0018.
DROP INDEX users_email;
