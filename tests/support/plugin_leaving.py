"""A package that leaves when it is imported, as one written to be started does."""

raise SystemExit("this is a program, not a package")
