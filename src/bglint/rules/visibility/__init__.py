"""Errors nobody sees (5xx)."""
