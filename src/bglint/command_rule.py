"""``bglint rule``: explains rules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from bglint.command_options import one_of

if TYPE_CHECKING:
    from bglint.rule_pages import RulePage


@click.command(short_help="Explain a rule.")
@click.argument("code", required=False)
@click.option("--all", "every", is_flag=True, help="Explain all rules.")
@click.option("--output-format", default="text", show_default=True, **one_of("text", "json"))
def rule(code: str | None, every: bool, output_format: str) -> int:
    """Explain a rule: what it reports, why that is bad, what to write instead, how safe its fix is.

    \b
    Examples:
      bglint rule BGL101
      bglint rule unguarded-background-task
      bglint rule --all --output-format json
    """
    from bglint.rule_pages import find_page, rule_pages

    if every == (code is not None):
        raise click.UsageError("Name a rule, such as BGL101, or give --all.")
    try:
        pages = rule_pages() if code is None else [find_page(code)]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="CODE") from error
    if output_format == "json":
        _print_json(pages, as_list=every)
    else:
        _print_text("\n\n".join(page.markdown for page in pages))
    return 0


def _print_text(markdown: str) -> None:
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(markdown))
    else:
        click.echo(markdown)


def _print_json(pages: list[RulePage], as_list: bool) -> None:
    import json

    objects = [_json(page) for page in pages]
    click.echo(json.dumps(objects if as_list else objects[0], indent=2, ensure_ascii=False))


def _json(page: RulePage) -> dict[str, Any]:
    return {
        "code": page.code,
        "name": page.name,
        "level": page.level.value,
        "default": page.default,
        "summary": page.summary,
        "explanation": page.explanation,
        "sections": page.sections,
        "url": f"docs/rules/{page.code}.md",
    }
