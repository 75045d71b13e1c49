"""Release what is due: schedules, retries, run-out leases, the outbox."""
