"""Networks, one file each: a part of recipes with its numbers, and the module that it builds."""

from zspot.networks.base import Network, ReceptiveField
from zspot.networks.blind_spot import BlindSpot
from zspot.networks.hourglass import Hourglass
from zspot.networks.partial_unet import PartialUNet
from zspot.networks.pretrained import Prior
from zspot.networks.shallow import Shallow
from zspot.networks.unet import UNet

NETWORKS = {part.kind: part for part in (UNet, Prior, PartialUNet, Hourglass, BlindSpot, Shallow)}

__all__ = [
    "NETWORKS", "BlindSpot", "Hourglass", "Network", "PartialUNet", "Prior", "ReceptiveField",
    "Shallow", "UNet",
]  # fmt: skip
