"""What the flattest blocks of an image say about its noise: spectra by intensity bin."""

from dataclasses import dataclass

import numpy as np
from scipy.fft import dct

SIDE = 8  # of a block, pixels
GROUPS = 24  # of tiles, for the bootstrap
MAX_LAG = 4  # pixels, up to which noise may be correlated
MAX_BLOCKS = 16_000
_MAX_BINS = 12  # of intensity
_BLOCKS_PER_BIN = 96  # disjoint ones
_SHARES = (0.03, 0.05, 0.08, 0.16, 0.32, 0.64, 1.0)  # of a bin's blocks, tried as its flattest
_LEAST = 8  # disjoint blocks that are taken at least
_NEXT = 4  # the next flattest blocks reach to this many times the rank of the flattest
_SLACK = 0.1  # rise of the power, over the root of the blocks, that counts as none
_CLIPPED_BLOCK = 0.05  # share of clipped pixels up to which a block is used
_TILE = 32  # pixels

_BASIS = np.asarray(dct(np.eye(SIDE), axis=0, norm="ortho"))
_U, _V = (a.ravel() for a in np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"))
# Those that keep and those that change their sign in a turned block: their noise is uncorrelated.
_HALVES = [((_U + _V + p) % 2 == 0) & (_U + _V > 0) for p in (0, 1)]
FREQUENCY = _U**2 + _V**2  # of the coefficients, (64,)


@dataclass(frozen=True)
class Blocks:
    """DCT coefficients of N overlapping blocks."""

    coefficients: np.ndarray  # float32 (N, C, 64)
    mean: np.ndarray  # float32 (N, C), intensity
    clipped: np.ndarray  # float32 (N, C), share of the block's pixels
    group: np.ndarray  # (N,), of tiles, that holds the block's corner: 0 to GROUPS - 1
    disjoint: float  # how many blocks would fit beside each other


def cut(values: np.ndarray, clipped: np.ndarray, step: int = 0) -> Blocks:
    """Cut `values` (C, H, W), of which some are `clipped`, into blocks and transform them."""
    height, width = values.shape[1] - SIDE + 1, values.shape[2] - SIDE + 1
    if not step:  # an odd one meets all phases of a colour mosaic and of JPEG's grid equally
        step = 1 if height <= 64 else 3
        while -(-height // step) * -(-width // step) > MAX_BLOCKS:
            step += 2
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)
    coefficients = _windows(values, step) @ np.kron(_BASIS, _BASIS).T.astype(np.float32)
    share = _windows(clipped, step).mean(axis=2, dtype=np.float32)
    tiles = rows[:, None] // _TILE * (width // _TILE + 1) + columns // _TILE
    group = np.random.default_rng(0).permutation(tiles.max() + 1)[tiles.ravel()] % GROUPS
    disjoint = min(len(rows) * len(columns), values[0].size / SIDE**2)
    return Blocks(coefficients, coefficients[..., 0] / SIDE, share, group, disjoint)


def _windows(values: np.ndarray, step: int) -> np.ndarray:
    """Return every `step`-th window of `values` (C, H, W) as (N, C, 64)."""
    windows = np.lib.stride_tricks.sliding_window_view(values, (SIDE, SIDE), axis=(1, 2))
    windows = windows[:, ::step, ::step].transpose(1, 2, 0, 3, 4)
    return windows.reshape(-1, len(values), SIDE * SIDE)


@dataclass(frozen=True)
class Spectra:
    """Sums over the chosen blocks by group of tiles (G) and intensity bin (B)."""

    power: np.ndarray  # (2, G, B, C, C, 64), products of channels: flattest blocks, next flattest
    count: np.ndarray  # (2, G, B, 2), summed blocks, for the two halves of the coefficients
    intensity: np.ndarray  # (B, C), mean of the flattest blocks
    clipped: np.ndarray  # (B, C), share of the pixels of the flattest blocks
    share: np.ndarray  # (B,), of the bin's blocks that are the flattest
    busy: np.ndarray  # (B,), median energy of all over that of the flattest: 1 where all is flat
    weight: np.ndarray  # (B,), share of all blocks that fall into the bin
    blocks: float  # number of the flattest, counted as if disjoint, in a usual bin

    def mean(self, drawn: np.ndarray | None = None) -> np.ndarray:
        """Return the mean power (2, B, C, C, 64), each group counted `drawn` (G,) times."""
        drawn = np.ones(self.power.shape[1]) if drawn is None else drawn
        power = np.einsum("g,kgbcdf->kbcdf", drawn, self.power)
        count = np.einsum("g,kgbh->kbh", drawn, self.count)
        summed = np.maximum(count, 1e-9)[..., (_U + _V) % 2]  # blocks of each coefficient's half
        total = power / summed[:, :, None, None]
        # A bin without next flattest blocks repeats its flattest.
        total[1] = np.where((count[1] > 0).all(axis=1)[:, None, None, None], total[1], total[0])
        return total


def measure(blocks: Blocks, expected: np.ndarray) -> Spectra:
    """Sum the spectra of the flattest blocks of each intensity bin, relative to the `expected`."""
    white = blocks.coefficients**2 / expected
    energy = np.stack([white[..., h].mean(axis=(1, 2)) for h in _HALVES])
    bins = _bins(blocks)
    parts = [_one_bin(blocks, energy, members) for members in bins]
    power, count, intensity, clipped, share, busy = (np.stack(p) for p in zip(*parts, strict=True))
    power, count = power.transpose(1, 2, 0, 3, 4, 5), count.transpose(1, 2, 0, 3)
    weight = np.array([len(m) for m in bins], float)
    weight /= weight.sum()
    whole = weight.sum()  # 1 but for rounding
    usual = float(np.median(share * weight) / whole * blocks.disjoint)
    return Spectra(power, count, intensity, clipped, share, busy, weight / whole, usual)


def _bins(blocks: Blocks) -> list[np.ndarray]:
    """Split the blocks into bins of about equal number by mean intensity over the channels."""
    usable = np.flatnonzero(blocks.clipped.max(axis=1) <= _CLIPPED_BLOCK)
    if len(usable) < 0.02 * len(blocks.mean) or len(usable) < 4:
        usable = np.arange(len(blocks.mean))
    order = usable[np.argsort(blocks.mean[usable].mean(axis=1), kind="stable")]
    disjoint = blocks.disjoint * len(usable) / len(blocks.mean)
    return np.array_split(order, int(np.clip(disjoint / _BLOCKS_PER_BIN, 1, _MAX_BINS)))


def _one_bin(blocks: Blocks, energy: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the first six fields of `Spectra` for one bin; `energy` is that of halves (2, N)."""
    channels = blocks.mean.shape[1]
    power = np.zeros((2, GROUPS, channels, channels, SIDE * SIDE))
    count = np.zeros((2, GROUPS, 2))
    overlap = max(1.0, len(blocks.mean) / blocks.disjoint)
    flattest, quiet = [], 0.0
    for half in (0, 1):
        ranked = members[np.argsort(energy[1 - half, members], kind="stable")]
        take = _how_many(energy[half, ranked], overlap)
        flattest.append(ranked[:take])
        quiet += energy[half, flattest[-1]].mean() / 2
        for k, chosen in enumerate((ranked[:take], ranked[take : _NEXT * take])):
            picked = blocks.coefficients[chosen][:, :, _HALVES[half]].astype(np.float64)
            for g in np.unique(blocks.group[chosen]):
                here = picked[blocks.group[chosen] == g]
                power[k, g][:, :, _HALVES[half]] = np.einsum("ncf,ndf->cdf", here, here)
                count[k, g, half] = len(here)
    both = np.concatenate(flattest)
    means = (values[both].mean(axis=0) for values in (blocks.mean, blocks.clipped))
    share = np.asarray(len(both) / (2 * len(members)))
    busy = np.asarray(np.median(energy[:, members].mean(axis=0)) / max(quiet, 1e-12))
    return power, count, *means, share, busy


def _how_many(energy: np.ndarray, overlap: float) -> int:
    """Return how many of the ranked blocks can be taken before signal raises their energy."""
    least = int(min(len(energy), max(_SHARES[0] * len(energy), _LEAST * overlap)))
    mean = np.cumsum(energy, dtype=np.float64) / np.arange(1, len(energy) + 1)
    slack = mean[least - 1] * (0.01 + _SLACK / np.sqrt(max(1.0, least / overlap)))
    take = least
    for n in (int(share * len(energy)) for share in _SHARES[1:]):
        if n > least and mean[n - 1] > mean[least - 1] + slack:
            break
        take = max(take, n)
    return take


def lag_operator(lowest: float, ridge: float) -> np.ndarray:
    """Return the (25, 64) least-squares matrix from mean power to autocovariance at lags 0 to 4."""
    weights = (lowest <= FREQUENCY).astype(float)
    lags = np.arange(MAX_LAG + 1)
    one = np.array([[b[: SIDE - k] @ b[k:] * (1 + (k > 0)) for k in lags] for b in _BASIS])
    model = np.kron(one, one)
    penalty = ridge * weights.mean() * (lags[:, None] ** 2 + lags**2).ravel()
    left = model.T * weights
    return np.linalg.solve(left @ model + np.diag(penalty), left)
