"""bglint itself (0xx)."""
