"""From findings to better files: apply edits, plan the imports and helpers they need, write atomically."""
