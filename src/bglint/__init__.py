"""bglint: finds background work that fails unseen, blocks the event loop, leaks or hangs, and fixes it."""

__version__ = "0.1.0"
