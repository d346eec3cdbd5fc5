"""Noise, measures and small budgets that several test files share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zspot.recipe import Fit, Recipe


def correlated(shape: tuple[int, ...], sigma: float, seed: int) -> np.ndarray:
    """Noise of standard deviation `sigma` with correlation 0.5 at one pixel, as in smartphones."""
    rng = np.random.default_rng(seed)
    white = rng.normal(0, 1, (shape[0] + 2, shape[1] + 2, *shape[2:]))
    rows = 0.5 * white[:-2] + white[1:-1] + 0.5 * white[2:]
    both = 0.5 * rows[:, :-2] + rows[:, 1:-1] + 0.5 * rows[:, 2:]
    return (sigma * both / both.std()).astype(np.float32)


def psnr(clean: np.ndarray, image: np.ndarray) -> float:
    error = np.clip(image, 0, 1).astype(np.float64) - clean
    return float(-10 * np.log10(np.mean(error**2)))


def close(a, b, scale: float, tolerance: float = 1e-10) -> bool:
    return bool(np.abs(np.asarray(a) - b).max() <= tolerance * scale)


def tiny(recipe: Recipe, steps: int = 2, passes: int = 2) -> Recipe:
    """The same recipe at a budget that only shows that it runs."""
    return replace(
        recipe, fit=replace(recipe.fit, steps=steps), predict=replace(recipe.predict, passes=passes)
    )


def small_net(recipe: Recipe, steps: int, passes: int) -> Recipe:
    """The same recipe with a narrow network and a fast schedule, for quality tests."""
    net = replace(recipe.network, width=16, dropout=0.1)
    return replace(
        recipe,
        network=net,
        fit=Fit(steps, 3e-3, "one-cycle"),
        predict=replace(recipe.predict, passes=passes),
    )
