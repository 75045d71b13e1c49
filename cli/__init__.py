"""`tocsin`: what an operator does by hand."""
