"""A hermetic workshop for the tests: private homes, real git, real servers on loopback."""
