"""How much of a large image is worked on at a time, the same whatever memory happens to be free."""

from collections.abc import Callable
from dataclasses import replace

import torch

from zspot.core.errors import MemoryLimitError
from zspot.core.memory import held, in_words, resident
from zspot.engine.denoiser import Denoised
from zspot.engine.tiling import AT_ONCE, SIDE
from zspot.recipe import Recipe

CROP = 512  # side of the crops that a step sees of a larger image, pixels

_SIDES = (SIDE, 512, 256, 128)
_CROPS = (CROP, 384, 256, 128)
# Bytes here and in `bytes_per_pixel` are from `benchmarks.robustness.trials` memory, rounded up.
_PLANES, _READY = 13, 6  # copies of the image at the same time, float32; of what learns nothing
_SIMILAR, _CORRELATED = 500e6, 250e6  # of the tiles of the non-local estimate, two at a time
_CONSISTENCY = 2.5  # the network runs on the whole beside its parts
_FLOAT = 4
_SHARES = (1, 2, 4)  # the limit is divided by these, one after the other, where memory runs out


def plan(
    recipe: Recipe, shape: torch.Size, memory: int | None = None
) -> tuple[Recipe, tuple[str, ...]]:
    """Return a recipe with crops and tiles, and in words what a limit of memory changed."""
    usual = _usual(recipe, shape)
    if memory is None:
        return usual, ()
    smaller, least = usual, 0
    for crop, side in zip(_CROPS, _SIDES, strict=True):
        smaller = _at_most(usual, crop, side, shape)
        least = needed(smaller, shape)
        if least <= memory:
            break
    check(least, memory, shape, recipe.method)
    if smaller == usual:
        return usual, ()
    sizes = {"crops": smaller.fit.crop, "tiles": smaller.predict.tile}
    parts = " and ".join(f"{name} of {size}" for name, size in sizes.items() if size)
    return smaller, (f"{parts} pixels, to stay under {in_words(memory)}",)


def check(least: float, memory: int | None, shape: torch.Size, method: str) -> None:
    """Raise a `MemoryLimitError` if the bytes needed `least` are more than there may be."""
    if memory is None or least <= memory:
        return
    advice = "raise --max-memory (max_memory) or cut the image"
    advice += "" if method.startswith("auto") else ", or choose method auto"
    image = f"an image of {shape[1]} x {shape[2]} pixels, channels: {shape[0]}"
    what = f"{image}, needs about {in_words(least)} with method {method}"
    raise MemoryLimitError(f"{what}, and the limit is {in_words(memory)}: {advice}")


def needed(recipe: Recipe, shape: torch.Size) -> int:
    """Estimate the bytes that the process takes at most, this program itself included."""
    similar = _CORRELATED if recipe.finish.removed else _SIMILAR
    work = max(_work(recipe, shape), similar if recipe.finish.similar else 0)
    copies = _READY if recipe.mask.hides_nothing and not recipe.fit.steps else _PLANES
    return int(held() + copies * _FLOAT * shape.numel() + work)


def _work(recipe: Recipe, shape: torch.Size) -> float:
    """Return the bytes that a fit step or a prediction takes."""
    channels, height, width = shape
    pixels = height * width
    crop = min(pixels, recipe.fit.crop**2 or pixels) * recipe.fit.batch
    field = recipe.network.receptive_field
    tile = pixels
    if recipe.predict.window:
        tile = min(pixels, max(AT_ONCE, recipe.predict.window**2))
    elif field:
        side = (recipe.predict.tile or SIDE) + 2 * field.reach
        tile = min(pixels, min(side, height) * min(side, width))
    fit, predict = recipe.network.bytes_per_pixel(channels)
    fit += _FLOAT * recipe.fill.numbers_per_pixel(recipe.fit.batch)
    if recipe.consistency:
        fit *= _CONSISTENCY
    return max(fit * crop if recipe.fit.steps else 0, predict * tile)


def _usual(recipe: Recipe, shape: torch.Size) -> Recipe:
    height, width = shape[1:]
    whole = recipe.fit.average > 0 or recipe.fill.replaces_image
    if recipe.fit.steps and not recipe.fit.crop and not whole and height * width > CROP**2:
        recipe = replace(recipe, fit=replace(recipe.fit, crop=CROP))
    tiled = recipe.network.receptive_field and not recipe.predict.window
    if tiled and not recipe.predict.tile and max(height, width) > SIDE:
        recipe = replace(recipe, predict=replace(recipe.predict, tile=SIDE))
    return recipe


def _at_most(recipe: Recipe, crop: int, side: int, shape: torch.Size) -> Recipe:
    """Return the recipe with crops and tiles no larger than these, where it has or allows them."""
    if recipe.fit.crop > crop:
        recipe = replace(recipe, fit=replace(recipe.fit, crop=crop))
    tiled = recipe.network.receptive_field and not recipe.predict.window
    if tiled and max(shape[1:]) > side and (recipe.predict.tile or SIDE) > side:
        recipe = replace(recipe, predict=replace(recipe.predict, tile=side))
    return recipe


def denoise_within(
    denoise: Callable[[torch.device, int], Denoised], device: torch.device, memory: int
) -> Denoised:
    """Call `denoise(device, memory)`; where memory runs out, again with less, then on the CPU."""
    there = memory
    if device.type == "cuda":  # no more than is free there
        there = min(memory, resident() + int(torch.cuda.mem_get_info(device)[0]))
    places = [(device, there // share) for share in _SHARES]
    if device.type != "cpu":
        places.append((torch.device("cpu"), memory))
    told: list[str] = []
    for where, limit in places:
        try:
            done = denoise(where, limit)
        except MemoryLimitError:
            if not told:
                raise  # nothing ran out: it is the limit that is too small
        except (RuntimeError, MemoryError) as error:
            # The CPU's allocator raises a plain RuntimeError.
            ran_out = isinstance(error, (torch.OutOfMemoryError, MemoryError))
            if not ran_out and "can't allocate memory" not in str(error):
                raise
            told.append(f"out of memory on {where} with {in_words(limit)}")
        else:
            if told:
                told.append(f"run again on {where} with {in_words(limit)}")
            return replace(done, told=(*told, *done.told))
    advice = "close other programs, cut the image, or choose method auto"
    raise MemoryLimitError(f"{', '.join(told)}: {advice}")
