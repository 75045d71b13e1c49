"""Show and act: a recipient's notifications."""
