"""What scripts and ghosts of Git Ghost v0.1 need: reading its commits, printing its lists."""
