"""Kubernetes manifests: read them, add the pull step, take it back, write them. Pure."""
