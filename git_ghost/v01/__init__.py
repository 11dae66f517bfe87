"""Reading what Git Ghost v0.1 made."""
