"""Errors that are the user's to mend. Imports nothing: whoever catches one may have little else loaded."""


class UserError(Exception):
    """Something that the user said, wrote or named cannot be: the text is all there is to tell. Exit code 2."""
