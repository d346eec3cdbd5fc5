"""What each ingredient of `auto` buys: its own recipe, with one part taken away.

    python -m benchmarks.ablation --data DIR --out ablation.csv [--every 4] [--crop 256]

Every n-th image of each set, cut to its middle. "no warm start" is method auto-scratch, which knows
nothing but the image; `--known TABLE` takes it from an earlier table of the same crops, for it
depends on no weights and takes most of the time.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch

import zspot
from benchmarks.auto import SETS, pairs
from benchmarks.datasets import middle
from benchmarks.metrics import quality
from zspot.recipe import Finish, Prior, Recipe


def without(recipe: Recipe) -> dict[str, Recipe]:
    """Return the recipe with one part taken away, by name; only what changes something."""
    out = {
        "no turns": replace(recipe, predict=replace(recipe.predict, turns=False)),
        "no phases": replace(recipe, predict=replace(recipe.predict, phases=1)),
        "no non-local": replace(recipe, finish=replace(recipe.finish, similar=0.0)),
        "no guard": replace(recipe, finish=replace(recipe.finish, guard=0.0)),
        "no centring": replace(recipe, finish=replace(recipe.finish, centre="none")),
        "no learning on": replace(recipe, fit=replace(recipe.fit, steps=0, crop=0, batch=1)),
        "weights for any noise": replace(recipe, network=Prior()),
        "warm start alone": replace(
            recipe,
            finish=Finish(),
            predict=replace(recipe.predict, phases=1),
            fit=replace(recipe.fit, steps=0, crop=0, batch=1),
        ),
    }
    return {name: changed for name, changed in out.items() if changed != recipe}


def main() -> None:
    """Run and print a table; write every row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--known", type=Path, help="earlier table of the same crops")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    known = known_of(arguments.known)
    torch.set_num_threads(arguments.threads)
    table: dict[tuple[str, str], list[float]] = defaultdict(list)
    with arguments.out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["set", "image", "variant", "psnr", "ssim", "seconds"])
        for name in arguments.sets.split(","):
            for image, *pair in list(pairs(arguments.data, name, None))[:: arguments.every]:
                crops = (middle(x, arguments.crop) for x in pair)
                for variant, values in measure(*crops, scratch=known.get((name, image))):
                    writer.writerow([name, image, variant, *values])
                    stream.flush()
                    table[name, variant].append(float(values[0]))
                    print(name, image, variant, *values, flush=True)
    for (name, variant), values in table.items():
        print(f"{name:10} {variant:18} {len(values):3} {statistics.mean(values):.3f}")


def measure(noisy, clean, scratch: list[str] | None = None):
    """Yield (variant, [PSNR, SSIM, seconds]); a variant that changes nothing has auto's own.

    `scratch` is that of "no warm start", where it is known.
    """
    axis = -1 if noisy.ndim == 3 else None
    chosen = zspot.run(noisy, "auto", channel_axis=axis)
    own = _values(clean, chosen)
    yield "auto", own
    assert chosen.recipe is not None
    changed = without(chosen.recipe)
    for variant in ("warm start alone", "no turns", "no phases", "no non-local", "no learning on",
                    "no guard", "no centring", "weights for any noise"):  # fmt: skip
        if variant not in changed:
            yield variant, own
            continue
        yield variant, _values(clean, zspot.run(noisy, changed[variant], channel_axis=axis))
    if scratch is None:
        scratch = _values(clean, zspot.run(noisy, "auto-scratch", channel_axis=axis))
    yield "no warm start", scratch


def _values(clean, result: zspot.Result) -> list[str]:
    psnr, ssim = quality(clean, result.image)
    return [f"{psnr:.4f}", f"{ssim:.4f}", f"{result.timings['total']:.1f}"]


def known_of(path: Path | None) -> dict[tuple[str, str], list[str]]:
    """Return (set, image) -> [PSNR, SSIM, seconds] of "no warm start" in an earlier table."""
    if path is None:
        return {}
    with path.open(newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["variant"] == "no warm start"]
    return {(r["set"], r["image"]): [r["psnr"], r["ssim"], r["seconds"]] for r in rows}


if __name__ == "__main__":
    main()
