"""asyncio tasks (2xx)."""
