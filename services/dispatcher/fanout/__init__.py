"""Fan-out: notifications to very many recipients, written and handed over a stretch at a time."""
