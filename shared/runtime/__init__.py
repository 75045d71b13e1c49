"""How every service lives: settings, logs, lifecycle, health, metrics."""
