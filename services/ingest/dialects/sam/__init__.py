"""sendNotification of seed 001, versions 2 to 4: its body, its rules, and its errors by the names of the source."""
