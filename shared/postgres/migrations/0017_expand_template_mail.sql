-- The mail that a template makes of a notification: shared.contract.template_params.TemplateMail. What fills it for a
-- recipient is looked up when it is sent, so nothing of it is repeated per delivery.
ALTER TABLE notifications ADD COLUMN mail jsonb;
