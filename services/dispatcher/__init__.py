"""Fan out and deliver: intake writes what is meant, sinks claim, send and record."""
