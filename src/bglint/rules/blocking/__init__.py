"""What blocks the event loop (4xx)."""
