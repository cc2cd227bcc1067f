"""BGL000: a file that could not be read or parsed. Reported by the engine; here for its documentation."""

from __future__ import annotations

from bglint.model import Level
from bglint.rules.base import Rule


class UnparsableFile(Rule):
    """Report a file that cannot be read, decoded or parsed.

    ## What it does
    Reports a file that does not exist, cannot be read, is not text in its declared encoding, or is not valid syntax
    for the Python that runs bglint. The message is the operating system's or the parser's own, with the row and
    column where it gave up. All other files are linted as usual.

    ## Why is this bad?
    Nothing else was checked in that file. If the file is fine and only newer than the Python that runs bglint, the
    message's version tells: run bglint with the Python that the project targets.

    ## Example
    ```python
    def notify(:
        ...
    ```

    ## Use instead
    ```python
    def notify():
        ...
    ```

    ## Fix safety
    There is no fix.

    ## References
    - [Python documentation: encoding declarations](https://docs.python.org/3/reference/lexical_analysis.html#encoding-declarations)
    """

    code, name, level = "BGL000", "unparsable-file", Level.ERROR
