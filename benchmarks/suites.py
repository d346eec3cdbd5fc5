"""Which sets are run together, and the methods that a run and a figure name.

An entry is `set` or `set+noise`; see `benchmarks.datasets` and `benchmarks.noises`.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.datasets import Entry
from benchmarks.errors import BenchmarkError


@dataclass(frozen=True)
class Suite:
    """Sets to run, the first `limit` images of each, cut to their middle of side `crop`."""

    entries: tuple[str, ...]
    limit: int | None = None
    crop: int | None = None


SUITES = {
    "quick": Suite(("sidd_val", "fmdd", "cc", "set9+white:25", "bsd68+white:25"), 2, 128),
    "real": Suite(("sidd_val", "fmdd", "polyu", "cc")),
    "white": Suite(("set9+white:25", "bsd68+white:25")),
    "white-all": Suite(
        (
            "set9+white:25",
            "bsd68+white:25",
            "set12+white:25",
            "kodak24+white:25",
            "mcmaster+white:50",
        )
    ),
    "simulated": Suite(
        ("mcmaster+poisson:0.02/0.02", "mcmaster+correlated:25", "mcmaster+camera:0.01/0.01")
    ),
    "submit": Suite(("sidd_benchmark", "dnd")),
}

NOISY = "noisy"
"""The input itself as a method, so that it has rows like any other."""

ORDER = (
    NOISY, "bm3d", "dip", "n2v", "self2self", "zs-n2n", "ap-bsn", "score-dvi", "mash", "refill",
    "bsn-ins", "auto",
)  # fmt: skip
"""Order of methods in tables and figures; others follow by name."""


def suite(text: str) -> Suite:
    """Return a suite by its name, or one of comma-separated entries."""
    if text in SUITES:
        return SUITES[text]
    entries = tuple(word for word in text.split(",") if word)
    if not entries:
        raise BenchmarkError(f"no suite given: choose one of {', '.join(SUITES)}, or name sets")
    for entry in entries:
        Entry.parse(entry)
    return Suite(entries)


def methods(text: str) -> list[tuple[str, str]]:
    """Return (method, effort) of each word of `auto,bsn-ins:best,noisy`; balanced by default.

    Raises
    ------
    BenchmarkError
        If a method or an effort does not exist.
    """
    from zspot.algorithms import EFFORTS, METHODS

    chosen: list[tuple[str, str]] = []
    for word in filter(None, text.split(",")):
        name, _, effort = word.partition(":")
        if name == NOISY:
            chosen.append((NOISY, ""))
            continue
        if name not in METHODS:
            known = ", ".join([NOISY, *METHODS])
            raise BenchmarkError(f"method {name!r} is not registered: choose from {known}")
        effort = effort or "balanced"
        if effort not in EFFORTS:
            raise BenchmarkError(f"{word}: effort {effort!r}: choose one of {', '.join(EFFORTS)}")
        chosen.append((name, effort))
    if not chosen:
        raise BenchmarkError("no method given: pass --methods, as in --methods auto,bsn-ins:fast")
    return list(dict.fromkeys(chosen))


def rank(method: str) -> tuple[int, str]:
    """Return a key that sorts methods into `ORDER`."""
    return (ORDER.index(method) if method in ORDER else len(ORDER), method)
