-- Version 2 of sendNotification is answered with a number, which groups change. A repeat gets the number of then.
ALTER TABLE identities ADD COLUMN answered_count integer;
