"""Errors of `zspot.noise.analyze_noise` against noise that is known.

Simulated noise on clean pictures, then the true residuals noisy - clean of pairs. Without a
data folder, the pictures that come with scikit-image. A row: mean and worst over the images of the
relative error of the level (mean over channels), the errors of the autocorrelation at 1 and 2
pixels and of the channel correlation; the share of channels whose level lies within two
uncertainties; for "poisson" the relative errors of the gain and of the read noise at `black`; CPU
seconds. Rows "clean": the reported level as a percentage of the range, instead of its error.
Truth is the residual that is in the image, after clipping where a simulation clips; except for
"jpeg", where it is the noise before compression plus the compression's error.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from scipy.ndimage import convolve, gaussian_filter

from zspot.noise.report import MAX_LAG, analyze_noise

PAIRS = ("sidd_val", "cc", "polyu", "fmdd")
CLEAN = ("bsd68", "set9", "mcmaster")
HEAD = ("set", "noise", "images", "level %", "worst", "lag1", "worst", "lag2", "worst")
HEAD += ("channels", "worst", "within 2 unc %", "gain %", "worst", "read %", "worst", "CPU s")
GAIN, READ = 1.0, 3.0
Picture = np.ndarray
"""float64 (C, H, W)."""


def white(sigma: float) -> Callable[[Picture, np.random.Generator], Picture]:
    return lambda x, rng: x + rng.normal(0, sigma, x.shape)


def filtered(kernel: float) -> Callable[[Picture, np.random.Generator], Picture]:
    def add(x: Picture, rng: np.random.Generator) -> Picture:
        noise = gaussian_filter(rng.normal(size=x.shape), (0, kernel, kernel))
        return x + 10 * noise / noise.std()

    return add


def poisson(x: Picture, rng: np.random.Generator) -> Picture:
    """Clipped at 0 and 255."""
    return np.clip(x + rng.normal(size=x.shape) * np.sqrt(GAIN * x + READ**2), 0, 255)


def demosaiced(x: Picture, rng: np.random.Generator) -> Picture:
    """White noise of 15 through a bilinear demosaic of an RGGB mosaic."""
    if len(x) != 3:
        return x + bilinear(rng.normal(0, 15, (3, *x.shape[1:])))[1:2]
    return x + bilinear(rng.normal(0, 15, x.shape))


def bilinear(x: Picture) -> Picture:
    masks = np.zeros(x.shape, bool)
    masks[0, ::2, ::2] = masks[1, ::2, 1::2] = masks[1, 1::2, ::2] = masks[2, 1::2, 1::2] = True
    sparse = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    dense = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    kernels = (sparse, dense, sparse)
    return np.stack([convolve(c * m, k) for c, m, k in zip(x, masks, kernels, strict=True)])


def jpeg(x: Picture, rng: np.random.Generator) -> Picture:
    noisy = np.clip(np.rint(x + rng.normal(0, 10, x.shape)), 0, 255).astype(np.uint8)
    picture = np.moveaxis(noisy, 0, -1) if len(x) > 1 else noisy[0]
    buffer = io.BytesIO()
    iio.imwrite(buffer, picture, extension=".jpg", quality=90)
    return _planes(iio.imread(buffer.getvalue(), extension=".jpg"))


NOISES: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {
    "clean": lambda x, rng: x,
    **{f"white {s}": white(s) for s in (2, 5, 10, 25, 50)},
    **{f"filtered {k}": filtered(k) for k in (0.5, 0.7, 1.0)},
    "poisson": poisson,
    "demosaiced": demosaiced,
    "jpeg 90": jpeg,
}


def truth(residual: Picture) -> tuple[np.ndarray, float, float, np.ndarray]:
    """Return deviation (C,), autocorrelation at 1 and 2 pixels, and channel correlation."""
    residual = residual - residual.mean(axis=(1, 2), keepdims=True)
    variance = (residual**2).mean(axis=(1, 2))
    lags = []
    for k in (1, 2):
        down = (residual[:, k:] * residual[:, :-k]).mean(axis=(1, 2))
        across = (residual[..., k:] * residual[..., :-k]).mean(axis=(1, 2))
        lags.append(float(((down + across) / 2 / variance).mean()))
    return np.sqrt(variance), *lags, np.corrcoef(residual.reshape(len(residual), -1))


def compare(noisy: Picture, clean: Picture, *, shot: bool = False) -> list[float]:
    """Return errors of level, lags, channels, share in two uncertainties, gain, read; seconds.

    `shot`: the noise is that of `poisson`.
    """
    started = time.process_time()
    report = analyze_noise(noisy, channel_axis=0)
    seconds = time.process_time() - started
    if (noisy == clean).all():
        return [100 * float(report.level_fraction.mean()), *[np.nan] * 6, seconds]
    level, one, two, channels = truth(noisy - clean)
    a = report.autocorrelation[MAX_LAG:, MAX_LAG:]
    pairs = np.triu_indices(len(level), 1)
    across = (report.channel_correlation - channels)[pairs].mean() if len(level) > 1 else np.nan
    within = np.abs(report.level - level) <= 2 * report.level_uncertainty
    at_black = np.sqrt(READ**2 + GAIN * np.maximum(report.black, 0))
    return [
        100 * float((report.level / level - 1).mean()),
        (a[0, 1] + a[1, 0]) / 2 - one,
        (a[0, 2] + a[2, 0]) / 2 - two,
        across,
        100 * float(within.mean()),
        100 * float((report.gain / GAIN - 1).mean()) if shot else np.nan,
        100 * float((report.read_noise / at_black - 1).mean()) if shot else np.nan,
        seconds,
    ]


def row(dataset: str, noise: str, errors: list[list[float]]) -> list[str]:
    """Return mean and worst magnitude of each error, as text."""
    table = np.array(errors, float)
    cells = [dataset, noise, str(len(table))]
    for column, digits in ((0, 1), (1, 3), (2, 3), (3, 3), (4, 0), (5, 1), (6, 1)):
        here = np.abs(table[:, column][np.isfinite(table[:, column])])
        figures = ("mean",) if column == 4 else ("mean", "max")
        cells += [f"{getattr(here, f)():.{digits}f}" if here.size else "-" for f in figures]
    return [*cells, f"{table[:, 7].mean():.2f}"]


def pictures(data: Path | None, limit: int | None) -> Iterator[tuple[str, list[Picture]]]:
    """Yield clean pictures by set."""
    for name in CLEAN if data else ():
        assert data is not None
        yield (
            name,
            [_planes(iio.imread(p)) for p in sorted((data / name / "clean").iterdir())[:limit]],
        )
    from skimage import data as own

    yield (
        "skimage",
        [_planes(own.camera()), _planes(own.chelsea()), _planes(own.astronaut())][:limit],
    )


def pairs(folder: Path, limit: int | None) -> Iterator[tuple[Picture, Picture]]:
    for noisy in sorted((folder / "noisy").iterdir())[:limit]:
        clean = next((folder / "clean").glob(f"{noisy.stem}.*"))
        yield _planes(iio.imread(noisy)), _planes(iio.imread(clean))


def _planes(image: np.ndarray) -> Picture:
    image = image.astype(np.float64)
    return image[None] if image.ndim == 2 else np.moveaxis(image[..., :3], -1, 0)


def rows(data: Path | None, limit: int | None) -> Iterator[list[str]]:
    for name, clean in pictures(data, limit):
        for noise, add in NOISES.items():
            yield row(
                name,
                noise,
                [
                    compare(add(x, np.random.default_rng(i)), x, shot=noise == "poisson")
                    for i, x in enumerate(clean)
                ],
            )
    for name in PAIRS if data else ():
        assert data is not None
        yield row(name, "real", [compare(y, x) for y, x in pairs(data / name, limit)])


def print_errors(data: Path | None, out: Path | None, limit: int | None) -> None:
    """Print a row for each set and noise, of the first images if there is a limit; write them."""
    print(" | ".join(HEAD))
    done = []
    for cells in rows(data, limit):
        done.append(cells)
        print(" | ".join(cells), flush=True)
    if out:
        with out.open("w", newline="") as file:
            csv.writer(file).writerows([HEAD, *done])
