"""The parts of a recipe as plain data, each checked when it is made. Nothing here imports torch."""

from zspot.core.errors import RecipeError
from zspot.core.ranges import between, one_of, require
from zspot.specs.fills import FILLS, UPRIGHT, Code, Constant, Fill, Inr, Neighbour, Refill
from zspot.specs.finish import SEARCHES, Finish, independent
from zspot.specs.masks import (
    EXCLUSION_SIZE,
    MASKS,
    MIN_SCORED,
    Bernoulli,
    Everything,
    Mask,
    NoMask,
    Stratified,
)
from zspot.specs.networks import (
    NETWORKS,
    BlindSpot,
    Hourglass,
    Network,
    PartialUNet,
    Prior,
    Shallow,
    UNet,
)
from zspot.specs.schedules import SCHEDULES, Fit, Predict, Warm
from zspot.specs.targets import TARGETS, Halves, Noisy, Recorrupted, Second, Shuffled, Target

LOSSES = ("l1", "l2")

__all__ = [
    "EXCLUSION_SIZE", "FILLS", "LOSSES", "MASKS", "MIN_SCORED", "NETWORKS", "SCHEDULES", "SEARCHES",
    "TARGETS", "UPRIGHT", "Bernoulli", "BlindSpot", "Code", "Constant", "Everything", "Fill",
    "Finish", "Fit", "Halves", "Hourglass", "Inr", "Mask", "Neighbour", "Network", "NoMask",
    "Noisy", "PartialUNet", "Predict", "Prior", "RecipeError", "Recorrupted", "Refill", "Second",
    "Shallow", "Shuffled", "Stratified", "Target", "UNet", "Warm", "between", "independent",
    "one_of", "require",
]  # fmt: skip
