"""The development mailbox: catches mail by SMTP and webhooks by HTTP, and shows both."""
