"""Tocsin on Kubernetes: the manifests an SRE applies, what of them is generated, and how they are checked."""
