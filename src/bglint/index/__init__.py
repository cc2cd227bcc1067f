"""The index: what every name, function and call of a project is, from the stdlib ``ast`` alone."""
