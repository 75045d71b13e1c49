"""How Tocsin is run: embedded on one machine, or on Kubernetes."""
