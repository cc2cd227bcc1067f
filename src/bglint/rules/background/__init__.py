"""Background tasks of FastAPI and Starlette (1xx)."""
