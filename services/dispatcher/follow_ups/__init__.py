"""Follow-ups: what something that happened to a notification means for each of very many recipients."""
