"""Threads, futures and processes (3xx)."""
