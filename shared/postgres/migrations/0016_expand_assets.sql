-- What a notification is about: its recipients may have unsubscribed from it.
ALTER TABLE notifications ADD COLUMN asset text;
