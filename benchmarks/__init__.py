"""Speed and memory of git ghost, side by side with v0.1.5 and with plain git."""
