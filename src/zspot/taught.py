"""What effort `best` of `auto` adds: a network that learns on the image itself.

It is fitted by cross-scale refilling and errs differently from the warm start, so a part of it,
averaged in before the non-local estimate, brings the result nearer to the picture. Alone it is far
behind the warm start, and where detail is fine it blurs: hence the small part.
"""

from __future__ import annotations

from dataclasses import replace

from zspot.recipe import Fit, Recipe, Warm

WEIGHT = 0.8
"""Of the warm start in the average; see docs/results.md for others."""

STRENGTH = 0.7
"""The average has less noise left than the warm start, and what it removed is more: noise is taken
to be so many times as strong as it is without."""

_STEPS, _CROP, _PASSES = 200, 128, 4


def taught(recipe: Recipe) -> Recipe:
    """Return the recipe with a network that learns on the image beside its warm start.

    Parameters
    ----------
    recipe : Recipe
        Uses the warm start as it is and takes as noise what that removed.
    """
    from zspot.algorithms import refill  # it knows the methods, and they know `auto`

    learned = refill.recipe("balanced")
    return replace(
        learned,
        method=recipe.method,
        fit=Fit(_STEPS, learned.fit.lr, learned.fit.schedule, crop=_CROP, stride=2),
        predict=replace(learned.predict, passes=_PASSES),
        warm=Warm(WEIGHT, recipe.predict.turns, recipe.predict.phases),
        finish=replace(recipe.finish, removed=STRENGTH * recipe.finish.removed),
    )
