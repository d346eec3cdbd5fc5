"""Where planes are in an array: Y, X, S for rows, columns, colours; T, Z, C and Q count planes."""

import itertools
from collections.abc import Iterator, Sequence

from zspot.core.errors import ImageError, OptionError, shown

PLANE = "YXS"  # letters of the axes of a plane

Place = tuple[int | slice, ...]  # index of a plane in an array


def channel_axis(letters: str) -> int | None:
    """Return which axis of a plane, counted from the front, holds the colours."""
    kept = [letter for letter in letters if letter in PLANE]
    return kept.index("S") if "S" in kept else None


def iter_planes(shape: Sequence[int], letters: str) -> Iterator[Place]:
    """Yield the place of every plane of an array, the last axis fastest."""
    axes = zip(letters, shape, strict=True)
    counts = [[slice(None)] if letter in PLANE else range(size) for letter, size in axes]
    return itertools.product(*counts)


def place_of(index: Sequence[int], letters: str) -> Place:
    """Return the place of a plane from its numbers along the axes that count planes."""
    numbers = iter(index)
    return tuple(slice(None) if letter in PLANE else next(numbers) for letter in letters)


def without_colours(place: Place, letters: str) -> Place:
    """Return the place of a plane in an array that has no axis for colours."""
    return tuple(at for at, letter in zip(place, letters, strict=True) if letter != "S")


def index_of(place: Place) -> tuple[int, ...]:
    """Return the numbers of a plane along the axes that count planes, from its place."""
    return tuple(at for at in place if isinstance(at, int))


def stack_axis(letters: str, shape: Sequence[int]) -> int | None:
    """Return the axis along which planes are beside each other: T, else Z, else Q."""
    able = (axis for x in "TZQ" for axis, letter in enumerate(letters) if letter == x)
    return next((axis for axis in able if shape[axis] > 1), None)


def check_letters(letters: str, shape: Sequence[int] | None = None) -> None:
    """Raise OptionError if letters do not name the axes of a stack, of this shape if given."""
    known = isinstance(letters, str) and {*letters} <= {*"TZCYXSQ"}
    once = [letter for letter in letters if letter != "Q"] if known else []
    if not known or len({*once}) != len(once) or not {"Y", "X"} <= {*once}:
        advice = "give each axis a letter of T, Z, C, Y, X, S (colours), Q (any stack)"
        raise OptionError(f"axes {letters}: {advice}, Y and X among them, such as TZCYX")
    if shape is not None and len(letters) != len(shape):
        sizes = " x ".join(map(str, shape))
        raise OptionError(f"axes {letters}: the array has {len(shape)} axes, of sizes {sizes}")


def is_axis(number: object, ndim: int) -> bool:
    """Whether this is the number of an axis."""
    return hasattr(number, "__index__") and number in range(-ndim, ndim)


def letters_by_place(shape: Sequence[int], channel_axis: int | None) -> str:
    """Name the axes of an array: the last two but channels are a plane's, others count planes."""
    ndim = len(shape)
    needed = "2 are needed" if channel_axis is None else "3 are needed with channel_axis"
    if ndim < int(needed[0]):
        raise ImageError(f"image has {ndim} axes (shape {tuple(shape)}): {needed}")
    if channel_axis is None:
        return "Q" * (ndim - 2) + "YX"
    if not is_axis(channel_axis, ndim):
        what = f"channel_axis={shown(channel_axis)} does not fit shape {tuple(shape)}"
        raise ImageError(f"{what}: pass the number of its channel axis")
    letters = ["Q"] * (ndim - 3) + ["Y", "X"]
    letters.insert(channel_axis % ndim, "S")
    return "".join(letters)
