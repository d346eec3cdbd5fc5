"""How far the verdict of `zspot.assess_images` can be believed.

Stored results of a method, whole and cut to squares, as float, uint8 and uint16, are judged, and so
are results made bad on purpose. A row: what was judged, the verdict, the gain over the noisy image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, median_filter

import zspot
from benchmarks.datasets import load_pair
from benchmarks.store import load_image, read_rows

SIDES = (0, 256, 160)  # 0 is the whole image
Picture = np.ndarray


def smooth(noisy: Picture, result: Picture, rng: np.random.Generator) -> Picture:
    return gaussian_filter(result, (2.5, 2.5, 0)[: result.ndim])


def kept(noisy: Picture, result: Picture, rng: np.random.Generator) -> Picture:
    return 0.8 * noisy + 0.2 * result


def shifted(noisy: Picture, result: Picture, rng: np.random.Generator) -> Picture:
    """Shift the colours, or the brightness of a grey image, by 5 % of the range."""
    by = np.array([1.0, -0.6, 0.2]) if result.ndim == 3 else 1.0
    return result + 0.05 * np.ptp(result) * by


def invented(noisy: Picture, result: Picture, rng: np.random.Generator) -> Picture:
    """Add stripes as strong as the noise that was removed."""
    stripes = gaussian_filter(rng.normal(size=result.shape[:2]), (1, 6))
    stripes *= (noisy - result).std() / stripes.std()
    return result + (stripes if result.ndim == 2 else stripes[..., None])


def median(noisy: Picture, result: Picture, rng: np.random.Generator) -> Picture:
    return median_filter(noisy, (7, 7, 1)[: noisy.ndim])


BAD: dict[str, Callable[[Picture, Picture, np.random.Generator], Picture]] = {
    f.__name__: f for f in (smooth, kept, shifted, invented, median)
}
TYPES: dict[str, Callable[[Picture], Picture]] = {
    "float32": lambda x: x.astype(np.float32),
    "uint8": lambda x: np.rint(255 * x.clip(0, 1)).astype(np.uint8),
    "uint16": lambda x: np.rint(255 * x.clip(0, 1)).astype(np.uint16) * 6 + 100,
}


def judged(rows: Path, data: Path, every: int = 1) -> Iterator[dict[str, object]]:
    """Yield what is said of the stored results of each n-th image, whole, cut and made bad."""
    found = read_rows(rows)
    found = found[(found["method"] != "noisy") & found["error"].isna()]
    for _, row in found.iloc[::every].iterrows():
        pair, result = load_pair(data, row), load_image(rows, str(row["output"]))
        assert pair.clean is not None
        name = {key: row[key] for key in ("set", "image", "effort")}
        for side in SIDES:
            cut = _corner(result.shape, side)
            noisy, clean, out = pair.noisy[cut], pair.clean[cut], result[cut]
            rng = np.random.default_rng(0)
            made = {"": out} | ({n: f(noisy, out, rng) for n, f in BAD.items()} if side else {})
            for bad, image in made.items():
                gain = 10 * np.log10(np.mean((noisy - clean) ** 2) / np.mean((image - clean) ** 2))
                for dtype in TYPES if bad == "" else ("float32",):
                    said = _assess(noisy, image, dtype)
                    yield {**name, "side": side, "bad": bad, "dtype": dtype, "gain": gain, **said}


def _assess(noisy: Picture, image: Picture, dtype: str) -> dict[str, object]:
    cast, axis = TYPES[dtype], -1 if noisy.ndim == 3 else None
    trust = zspot.assess_images(cast(noisy), cast(image), channel_axis=axis).to_dict()
    return {key: value for key, value in trust.items() if not key.startswith("held_out")}


def _corner(shape: tuple[int, ...], side: int) -> tuple[slice, slice]:
    start = [max(0, (size - side) // 2) if side else 0 for size in shape[:2]]
    return tuple(slice(s, s + side if side else None) for s in start)  # type: ignore[return-value]


def confusion(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how many results of each kind got each verdict."""
    kind = np.where(rows["bad"] != "", rows["bad"], np.where(rows["gain"] > 2, "gained 2 dB", ""))
    kind = np.where(kind != "", kind, np.where(rows["gain"] > 0, "gained less", "gained nothing"))
    table = pd.crosstab(kind, rows["verdict"])
    return table.rename_axis(index="result", columns=None)
