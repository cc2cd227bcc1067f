"""What bglint costs before it finds anything: its version line, a folder where nothing matters."""

from __future__ import annotations

import sys
from pathlib import Path

from tools import BGLINT, Tool, import_path

BASELINE = "python -c pass"

_MODULE = '''\
"""Orders of region {number}: totals, discounts and what goes onto the invoice."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

REFERENCE = re.compile(r"R{number}-[0-9]{{6}}")


class UnknownProduct(Exception):
    """The order names a product that the catalogue does not have."""


@dataclass
class Line:
    """One product of an order."""

    product: str
    quantity: int
    price: Decimal

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity


@dataclass
class Order:
    """What one customer bought at once."""

    reference: str
    lines: list[Line] = field(default_factory=list)
    discount: Decimal = Decimal(0)

    def add(self, catalogue: dict[str, Decimal], product: str, quantity: int = 1) -> None:
        try:
            price = catalogue[product]
        except KeyError as error:
            raise UnknownProduct(product) from error
        self.lines.append(Line(product, quantity, price))

    def total(self) -> Decimal:
        before = sum((line.total for line in self.lines), Decimal(0))
        return before * (1 - self.discount)

    def check(self) -> list[str]:
        problems = []
        if not REFERENCE.fullmatch(self.reference):
            problems.append(f"{{self.reference}} is no reference of region {number}")
        problems.extend(f"{{line.product}}: {{line.quantity}}" for line in self.lines if line.quantity < 1)
        return problems


def by_product(orders: list[Order]) -> dict[str, Decimal]:
    """Return what each product brought in."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for order in orders:
        for line in order.lines:
            totals[line.product] += line.total
    return dict(sorted(totals.items(), key=lambda item: item[1], reverse=True))


def invoice(order: Order, width: int = 40) -> str:
    """Return the order as lines of text."""
    rows = [f"{{line.quantity:>3}} {{line.product:<{{width}}}} {{line.total:>10.2f}}" for line in order.lines]
    rows.append(f"{{'total':>{{width}}}} {{order.total():>14.2f}}")
    return "\\n".join(rows)
'''


def write_ordinary_modules(folder: Path, count: int = 40) -> None:
    """Fill ``folder`` with ``count`` modules as any project has them: classes, loops, no background work."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"orders_{number:02}.py").write_text(_MODULE.format(number=number), encoding="utf-8")


def start_up_tools() -> list[Tool]:
    """Return the commands whose ratio to ``python -c pass`` says what starting bglint costs."""
    options = ("--isolated", "--no-cache", "--jobs", "1", "--exit-zero")
    return [
        _command(BASELINE, (sys.executable, "-c", "pass")),
        _command("bglint --version", (*BGLINT, "--version")),
        _command("bglint, nothing matters", (*BGLINT, "check", *options, ".")),
    ]


def _command(name: str, command: tuple[str, ...]) -> Tool:
    return Tool(name, command, (), threads="1", expected=(0,), environment=import_path())
