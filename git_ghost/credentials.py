"""Secrets mounted into a container, as what git needs to use them."""
