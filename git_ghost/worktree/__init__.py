"""The user's repository: base, snapshot, rebuild, checkout."""
