"""One file per way out of the house; each sends and says what became of it, nothing more."""
