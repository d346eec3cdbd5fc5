"""The image sets of the field, as their authors distribute them or as folders of pairs.

A set is looked for under one data folder, first as `NAME/noisy` and `NAME/clean` with equal stems
(or `NAME/clean` alone), then in the layout in which its authors offer it. `SETS` has those that are
known; any other folder of the first kind is a set too. Images are float32 in [0, 1].
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import imageio.v3 as iio
import numpy as np

from benchmarks import noises
from benchmarks.matlab import Dnd, SiddBlocks, unit
from benchmarks.metrics import BenchmarkError
from benchmarks.pictures import Pictures

if TYPE_CHECKING:
    import pandas as pd  # loaded where it is used: processes that make rows do without

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})


@dataclass(frozen=True)
class Pair:
    """A noisy image (H, W) or (H, W, C), and the clean one where the authors give it."""

    noisy: np.ndarray
    clean: np.ndarray | None


class ImageSet(Protocol):
    """Names of images, and the images; None for a side that the set does not have."""

    def names(self) -> list[str]:
        """Return the names in a fixed order."""
        ...

    def load(self, name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return (noisy, clean) as float32 in [0, 1]."""
        ...


@dataclass(frozen=True)
class Files:
    """Image files whose names share a stem.

    `noisy` and `clean` are a folder and an ending of the stem, such as "_real"; None if missing.
    """

    noisy: tuple[Path, str] | None
    clean: tuple[Path, str] | None

    def names(self) -> list[str]:
        """Return the stems without their endings, in the order of the numbers in them."""
        side = self.clean or self.noisy
        assert side is not None
        folder, ending = side
        stems = [p.stem for p in folder.iterdir() if p.suffix.lower() in SUFFIXES]
        found = {s.removesuffix(ending) for s in stems if s.endswith(ending)}
        return sorted(found, key=_by_number)

    def load(self, name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return (noisy, clean)."""
        noisy, clean = (
            None if side is None else _picture(side[0], name + side[1])
            for side in (self.noisy, self.clean)
        )
        return noisy, clean


@dataclass(frozen=True)
class Mosaic:
    """Photographs of any size made of PolyU's clean images, as a camera would take them.

    An image is named by its megapixels; `12@3` is one of the twelve squares of 512 pixels that are
    spread over the one of 12 megapixels.
    """

    data: Path
    noise: str = "camera:0.005/0.02"

    def names(self) -> list[str]:
        """Return no names: there is one for each number."""
        return []

    def load(self, name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return (noisy, clean)."""
        size, _, part = name.partition("@")
        noisy, clean = _photograph(self.data, float(size), self.noise)
        if not part:
            return noisy, clean
        cut = squares(*clean.shape[:2])[int(part)]
        return noisy[cut], clean[cut]


def squares(height: int, width: int) -> list[tuple[slice, slice]]:
    """Return 3 x 4 squares of 512 pixels spread over an image of two megapixels or more."""
    rows = [round(k * (height - 512) / 2) for k in range(3)]
    columns = [round(k * (width - 512) / 3) for k in range(4)]
    return [np.s_[y : y + 512, x : x + 512] for y in rows for x in columns]


@functools.lru_cache(maxsize=1)
def _photograph(data: Path, megapixels: float, noise: str) -> tuple[np.ndarray, np.ndarray]:
    """Lay clean images side by side, every second one mirrored so that edges meet; add noise."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(megapixels * 1e6 / height)
    polyu = find(data, "polyu")
    tiles = [tile for name in polyu.names()[::2] if (tile := polyu.load(name)[1]) is not None]
    side = min(min(t.shape[:2]) for t in tiles)
    rows = []
    for y in range(-(-height // side)):
        row = [tiles[(7 * y + x) % len(tiles)][:side, :side] for x in range(-(-width // side))]
        row = [t[:, ::-1] if x % 2 else t for x, t in enumerate(row)]
        rows.append(np.concatenate([t[::-1] if y % 2 else t for t in row], axis=1))
    clean = np.concatenate(rows)[:height, :width]
    add = noises.parse(noise).add
    assert add is not None
    return add(clean, 0), clean


def _by_number(name: str) -> list[tuple[int, str]]:
    return [(int(word or -1), text) for text, word in re.findall(r"([^\d]*)(\d*)", name)]


def _picture(folder: Path, stem: str) -> np.ndarray:
    found = [p for p in folder.glob(f"{stem}.*") if p.suffix.lower() in SUFFIXES]
    if len(found) != 1:
        raise BenchmarkError(f"{folder / stem}.*: {len(found)} image files, expected one")
    return unit(iio.imread(found[0]))


Layout = Callable[[Path], ImageSet | None]


def _beside(folder: str, noisy: str, clean: str) -> Layout:
    """Look for both images of a pair in one folder, told apart by the end of their names."""

    def find(data: Path) -> ImageSet | None:
        path = data / folder
        return Files((path, noisy), (path, clean)) if path.is_dir() else None

    return find


def _folders(noisy: str, clean: str) -> Layout:
    """Look for a folder of noisy and one of clean images."""

    def find(data: Path) -> ImageSet | None:
        pair = data / noisy, data / clean
        return (
            Files((pair[0], ""), (pair[1], "")) if pair[0].is_dir() and pair[1].is_dir() else None
        )

    return find


def _clean(*folders: str) -> Layout:
    """Look for a folder of clean images."""

    def find(data: Path) -> ImageSet | None:
        there = [data / name for name in folders if (data / name).is_dir()]
        return Files(None, (there[0], "")) if there else None

    return find


def _sidd(part: str) -> Layout:
    def find(data: Path) -> ImageSet | None:
        noisy = _search(data, f"{part}NoisyBlocksSrgb.mat")
        if noisy is None:
            return None
        key = f"{part}NoisyBlocksSrgb"
        if part == "Benchmark":
            return SiddBlocks(noisy, key)
        clean = noisy.with_name(f"{part}GtBlocksSrgb.mat")
        if not clean.exists():
            raise BenchmarkError(f"{clean} is missing beside {noisy.name}: get it from the authors")
        return SiddBlocks(noisy, key, clean, f"{part}GtBlocksSrgb")

    return find


def _dnd(data: Path) -> ImageSet | None:
    folder = _search(data, "images_srgb")
    return None if folder is None else Dnd(folder.parent)


def _search(data: Path, name: str) -> Path | None:
    """Look for a file or folder in the data folder and two levels below it."""
    for pattern in (name, f"*/{name}", f"*/*/{name}"):
        found = next(data.glob(pattern), None)
        if found is not None:
            return found
    return None


@dataclass(frozen=True)
class Known:
    """A published set: what it is called, where its authors offer it, and how it is laid out."""

    title: str
    offered: str
    layout: Layout


_SIDD = "https://abdokamel.github.io/sidd/ (Abdelhamed, Lin, Brown, CVPR 2018)"
_CSZN = "https://github.com/cszn/DnCNN/tree/master/testsets (Zhang et al., IEEE TIP 2017)"
SETS: dict[str, Known] = {
    "pictures": Known("five pictures", "benchmarks/pictures.py", Pictures),
    "mosaic": Known("mosaic of PolyU", "PolyU's authors", Mosaic),
    "sidd_val": Known("SIDD validation", _SIDD, _sidd("Validation")),
    "sidd_benchmark": Known("SIDD benchmark", _SIDD, _sidd("Benchmark")),
    "dnd": Known("DND", "https://noise.visinf.tu-darmstadt.de/ (Plötz, Roth, CVPR 2017)", _dnd),
    "polyu": Known(
        "PolyU",
        "https://github.com/csjunxu/PolyU-Real-World-Noisy-Images-Dataset, folder CroppedImages "
        "(Xu et al., arXiv:1804.02603)",
        _beside("CroppedImages", "_real", "_mean"),
    ),
    "cc": Known(
        "CC",
        "https://github.com/csjunxu/MCWNNM-ICCV2017, folder Real_ccnoise_denoised_part "
        "(photographs of Nam et al., CVPR 2016)",
        _beside("Real_ccnoise_denoised_part", "_real", "_mean"),
    ),
    "fmdd": Known(
        "FMDD",
        "https://github.com/yinhaoz/denoising-fluorescence, folder test_mix "
        "(Zhang et al., CVPR 2019)",
        _folders("test_mix/raw", "test_mix/gt"),
    ),
    "set9": Known(
        "Set9", "https://webpages.tuni.fi/foi/GCF-BM3D/ (Dabov et al., ICIP 2007)", _clean("Set9")
    ),
    "bsd68": Known("BSD68", _CSZN, _clean("BSD68")),
    "set12": Known("Set12", _CSZN, _clean("Set12")),
    "kodak24": Known(
        "Kodak24", "https://r0k.us/graphics/kodak/", _clean("Kodak24", "kodak", "Kodak")
    ),
    "mcmaster": Known(
        "McMaster18",
        "https://www4.comp.polyu.edu.hk/~cslzhang/CDM_Dataset.htm (Zhang et al., JEI 2011)",
        _clean("McM", "McMaster"),
    ),
}


def title(name: str) -> str:
    """Return how a set is called in print."""
    return SETS[name].title if name in SETS else name


@functools.lru_cache(maxsize=64)
def find(data: Path, name: str) -> ImageSet:
    """Return a set from the data folder.

    Raises
    ------
    BenchmarkError
        If it is not there; the message says where its authors offer it.
    """
    if not data.is_dir():
        raise BenchmarkError(f"{data} is not a folder: pass --data with the folder of the sets")
    folder = data / name
    sides = [(p, "") if (p := folder / role).is_dir() else None for role in ("noisy", "clean")]
    if any(sides):
        return Files(*sides)
    known = SETS.get(name)
    if known is None:
        raise BenchmarkError(
            f"set {name!r} is neither a folder {folder} with noisy and clean images nor one of "
            f"{', '.join(SETS)}"
        )
    found = known.layout(data)
    if found is None:
        raise BenchmarkError(
            f"{known.title} is not under {data}: its authors offer it at {known.offered}"
        )
    return found


@dataclass(frozen=True)
class Entry:
    """A set and what is done to its images; "" for the noise it comes with."""

    set: str
    noise: str = ""

    @classmethod
    def parse(cls, text: str) -> Entry:
        """Read `set` or `set+noise`; see `benchmarks.noises` for the noises."""
        name, _, noise = text.partition("+")
        noises.parse(noise)
        return cls(name, noise)

    def __str__(self) -> str:
        return f"{self.set}+{self.noise}" if self.noise else self.set

    @property
    def title(self) -> str:
        """What the set with its noise is called in print."""
        words = self.noise.replace(":", " ").replace("+", ", ")
        return f"{title(self.set)} {words}" if words else title(self.set)


def load(
    data: Path, entry: Entry, image: str, *, crop: int | None = None, noise_seed: int = 0
) -> Pair:
    """Load one pair, noise added to the whole image, then cut to its middle.

    Raises
    ------
    BenchmarkError
        If the set or the image is not there or has not what is asked.
    """
    noisy, clean = find(data, entry.set).load(image)
    noise = noises.parse(entry.noise)
    if noise.cut and crop is not None and clean is not None:
        noisy, clean = None if noisy is None else middle(noisy, crop), middle(clean, crop)
    if noise.add is not None:
        if clean is None:
            raise BenchmarkError(f"{entry.set} has no clean images to add noise to")
        noisy = noise.add(clean, noise_seed)
    if noisy is None:
        raise BenchmarkError(
            f"{entry.set} has only clean images: add noise to them, as in {entry.set}+white:25"
        )
    if noise.rounded:
        noisy = np.rint(255 * noisy.clip(0, 1)).astype(np.float32) / np.float32(255)
    if clean is not None and clean.shape != noisy.shape:
        raise BenchmarkError(
            f"{entry.set}/{image}: noisy is {noisy.shape} and clean {clean.shape}, not a pair"
        )
    if crop is None:
        return Pair(noisy, clean)
    return Pair(middle(noisy, crop), None if clean is None else middle(clean, crop))


def load_pair(data: Path, row: pd.Series) -> Pair:
    """Return the noisy and clean image of a row."""
    return load(
        data, Entry(str(row["set"]), str(row["noise"])), str(row["image"]),
        crop=int(row["crop"]) or None, noise_seed=int(row["noise_seed"]),
    )  # fmt: skip


def middle(image: np.ndarray, size: int) -> np.ndarray:
    """Cut the middle `size` x `size` out of an image; a smaller side is kept."""
    y, x = (max(0, (n - size) // 2) for n in image.shape[:2])
    return image[y : y + size, x : x + size]
