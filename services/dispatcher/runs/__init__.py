"""Work in the background: scripts, jobs and completion mails, each a run that is leased, done and ended."""
