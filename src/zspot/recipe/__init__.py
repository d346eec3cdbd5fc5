"""Recipes: what a denoiser does, as plain data that can be stored and rerun."""

from zspot.core.errors import RecipeError
from zspot.networks import BlindSpot, Hourglass, Network, PartialUNet, Prior, Shallow, UNet
from zspot.recipe.fills import Code, Constant, Fill, Inr, Neighbour, Refill
from zspot.recipe.losses import LOSSES
from zspot.recipe.masks import EXCLUSION_SIZE, Bernoulli, Everything, Mask, NoMask, Stratified
from zspot.recipe.postprocess import SEARCHES, Finish, independent
from zspot.recipe.recipe import Recipe
from zspot.recipe.schedule import SCHEDULES, Fit, Predict
from zspot.recipe.targets import Halves, Noisy, Recorrupted, Second, Shuffled, Target

__all__ = [
    "EXCLUSION_SIZE", "LOSSES", "SCHEDULES", "SEARCHES", "Bernoulli", "BlindSpot", "Code",
    "Constant", "Everything", "Fill", "Finish", "Fit", "Halves", "Hourglass", "Inr", "Mask",
    "Neighbour", "Network", "NoMask", "Noisy", "PartialUNet", "Predict", "Prior", "Recipe",
    "RecipeError", "Recorrupted", "Refill", "Second", "Shallow", "Shuffled", "Stratified",
    "Target", "UNet", "independent",
]  # fmt: skip
