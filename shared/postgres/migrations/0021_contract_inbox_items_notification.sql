-- Where it was gone by, inbox_items_recipients serves as well.
DROP INDEX inbox_items_notification;
