"""What breaks zspot: mutated inputs, kills during writes, long stacks, many files."""

from __future__ import annotations

import argparse
from pathlib import Path


def arguments(about: str | None, count: int, out: str) -> argparse.Namespace:
    """Read the command line of numbered trials, of which each is drawn from its number alone."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--only", type=int, help="do this trial again")
    parser.add_argument("--table", type=Path, help="print the counts of a finished run")
    return parser.parse_args()


def done(out: Path) -> int:
    """Return how many trials have a row in a CSV file."""
    return sum(1 for _ in out.open()) - 1 if out.exists() else 0
