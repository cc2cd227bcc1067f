"""BGL001: a noqa comment that silences nothing. Found once all rules have spoken; here for its documentation."""

from __future__ import annotations

from bglint.model import Level
from bglint.rules.base import Rule


class UnusedNoqa(Rule):
    """Report noqa comments that name one of bglint's codes and silence nothing.

    ## What it does
    Reports `# noqa: BGL...`, and `# flake8: noqa: BGL...` for a whole file, where no finding of that code is left to
    silence. The code may be a prefix (`BGL4`). Codes in lower case never silence anything, and are reported too. Codes
    of other tools are none of its business, and neither is a plain `# noqa`.

    Silent: codes of rules that are switched off. What they would find is not known.

    ## Why is this bad?
    The comment says that there is a known risk on this line. There is none any more, and the next real one on the same
    line will never be reported.

    ## Example
    ```python
    async def refresh() -> None:
        await asyncio.sleep(1)  # noqa: BGL402
    ```

    ## Use instead
    ```python
    async def refresh() -> None:
        await asyncio.sleep(1)
    ```

    ## Fix safety
    The fix is safe: it takes the code out of the comment, or the comment away when no code is left in it. Other
    comments on the line stay, and so does the reason behind the codes.

    ## References
    - [flake8: selecting and ignoring violations](https://flake8.pycqa.org/en/latest/user/violations.html)
    """

    code, name = "BGL001", "unused-noqa"
    level = Level.WARNING
    default = False
