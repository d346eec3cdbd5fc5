"""The whole list of methods: what is known of each, and where it is made; torch is not loaded."""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zspot.engine import Denoiser
    from zspot.recipe import Recipe

EFFORTS = ("fast", "balanced", "best")
TIMED = 128 * 128  # pixels of the image by which methods were timed


@dataclass(frozen=True)
class Method:
    """A denoising method as listed by `zspot.methods()`."""

    name: str  #: as `zspot.denoise` takes it
    summary: str  #: one line: what it does and what it is good for
    citation: str  #: the paper it implements
    make: "Callable[[str], Recipe | Denoiser]"  #: effort -> `Recipe` or `Denoiser`
    needs_second: bool = False  #: whether it learns from a second noisy image of the same scene
    pretrained: bool = False  #: whether it uses weights that were trained on other pictures
    #: optional dependency of zspot that it needs, `pip install "zspot[extra]"`; empty if none
    extra: str = ""
    licence: str = "BSD"  #: under which it may be used, its weights and `extra` included
    #: whether the fit to one plane of a stack can start from that to another; see
    #: `zspot.engine.shared_fit`
    shares_fit: bool = True
    takes_sigma: bool = False  #: whether it can be told how strong white noise is
    #: Measured on one AVX2 core for a colour image of 128 x 128 pixels at effort "balanced"; None
    #: if it was not. Grows with the number of pixels where the method sees whole images.
    seconds: float | None = None
    #: likewise, what each further megapixel takes; None: as what the recipe learns on grows
    per_megapixel: float | None = None

    def seconds_for(self, pixels: float, effort: str = "balanced") -> float | None:
        """Estimate the time of a plane on one core; None if nothing is known of it."""
        if self.seconds is None or (pixels, effort) == (TIMED, "balanced"):
            return self.seconds
        if self.per_megapixel is not None and effort == "balanced":
            return self.seconds + self.per_megapixel * (pixels - TIMED) / 1e6
        made = self.make(effort)
        if effort != "balanced" and not hasattr(made, "fit"):
            return None
        return self.seconds * _work(made, pixels) / _work(self.make("balanced"), TIMED)


def _work(made: Any, pixels: float) -> float:
    """Return a measure of the work on a plane: learning on crops is the same for any, else more."""
    if not hasattr(made, "fit"):  # no recipe
        return pixels
    learnt = made.fit.steps * made.fit.batch * (made.fit.crop**2 or pixels)
    return learnt + made.predict.passes * pixels / 3


def _make(where: str, effort: str) -> "Recipe | Denoiser":
    """Return what a function of `zspot.algorithms` makes of an effort; its module is loaded now."""
    return pkgutil.resolve_name(f"zspot.algorithms.{where}")(effort)


_ENTRIES = (
    Method(
        name="auto",
        summary="The default: looks at the noise and chooses. A network trained on photographs "
        "with simulated noise, taught on by the image itself where the noise is white.",
        citation="zspot, 2026; learning on: Pang, Zheng, Quan, Ji. Recorrupted-to-Recorrupted: "
        "Unsupervised Deep Learning for Image Denoising. CVPR 2021, pp. 2043-2052.",
        make=partial(_make, "auto:Auto"),
        pretrained=True,
        takes_sigma=True,
        seconds=3,
        per_megapixel=25,
    ),
    Method(
        name="auto-scratch",
        summary="auto without the weights trained on photographs: nothing but the image. Slower.",
        citation="zspot, 2026; Lebrun, Buades, Morel. A Nonlocal Bayesian Image Denoising "
        "Algorithm. SIAM J. Imaging Sci. 6(3), 2013; and the reference of refill.",
        make=partial(_make, "auto_scratch:make"),
        takes_sigma=True,
        seconds=60,
        per_megapixel=230,
    ),
    Method(
        name="bsn-ins",
        summary="Blind-spot network whose hidden pixels are filled with samples of an implicit "
        "neural representation; for spatially correlated camera and microscope noise.",
        citation="Quan, Zheng, Ma, Ji. Zero-Shot Blind-spot Image Denoising via Implicit Neural "
        "Sampling. CVPR 2025, pp. 7502-7512.",
        make=partial(_make, "bsn_ins:recipe"),
        seconds=112,
    ),
    Method(
        name="mash",
        summary="MASH: hides as many pixels as the noise is correlated, found by two probes, and "
        "shuffles flat parts where it is strongly so.",
        citation="Chihaoui, Favaro. Masked and Shuffled Blind Spot Denoising for Real-World "
        "Images. CVPR 2024.",
        make=partial(_make, "mash:make"),
        seconds=110,
    ),
    Method(
        name="self2self",
        summary="Self2Self: many networks in one, by dropout, predict hidden pixels. For white "
        "noise; copies correlated noise.",
        citation="Quan, Chen, Pang, Ji. Self2Self With Dropout: Learning Self-Supervised Denoising "
        "From Single Image. CVPR 2020, pp. 1890-1898.",
        make=partial(_make, "self2self:recipe"),
        seconds=90,
    ),
    Method(
        name="n2v",
        summary="Noise2Void: predicts few hidden pixels from all others. For noise that is "
        "independent between pixels; copies correlated noise.",
        citation="Krull, Buchholz, Jug. Noise2Void: Learning Denoising From Single Noisy Images. "
        "CVPR 2019, pp. 2129-2137.",
        make=partial(_make, "n2v:recipe"),
        seconds=183,
    ),
    Method(
        name="n2n",
        summary="Noise2Noise: for two noisy images of the same scene; needs the second one.",
        citation="Lehtinen, Munkberg, Hasselgren, Laine, Karras, Aittala, Aila. Noise2Noise: "
        "Learning Image Restoration without Clean Data. ICML 2018, pp. 2965-2974.",
        make=partial(_make, "n2n:recipe"),
        needs_second=True,
    ),
    Method(
        name="dip",
        summary="Deep image prior: a network that learns pictures before noise, stopped in time "
        "without looking at a clean image.",
        citation="Ulyanov, Vedaldi, Lempitsky. Deep Image Prior. CVPR 2018, pp. 9446-9454.",
        make=partial(_make, "dip:recipe"),
        shares_fit=False,
        seconds=55,
    ),
    Method(
        name="ap-bsn",
        summary="AP-BSN: a blind-spot network on pixel-shuffled phases, in which correlated noise "
        "is nearly white. Loses fine detail.",
        citation="Lee, Son, Lee. AP-BSN: Self-Supervised Denoising for Real-World Images via "
        "Asymmetric PD and Blind-Spot Network. CVPR 2022, pp. 17725-17734.",
        make=partial(_make, "ap_bsn:recipe"),
        seconds=211,
    ),
    Method(
        name="score-dvi",
        summary="ScoreDVI: image and noise as distributions fitted to the one image; knows "
        "pictures through a denoiser of white noise that the project trained.",
        citation="Cheng, Liu, Tan. Score Priors Guided Deep Variational Inference for Unsupervised "
        "Real-World Single Image Denoising. ICCV 2023, pp. 12937-12948.",
        make=partial(_make, "score_dvi:make"),
        pretrained=True,
        shares_fit=False,
        seconds=51,
    ),
    Method(
        name="zs-n2n",
        summary="Zero-Shot Noise2Noise: three convolutions learn from the image's two diagonal "
        "halves. Fast; for white noise only.",
        citation="Mansour, Heckel. Zero-Shot Noise2Noise: Efficient Image Denoising without any "
        "Data. CVPR 2023, pp. 14018-14027.",
        make=partial(_make, "zs_n2n:recipe"),
        seconds=28,
    ),
    Method(
        name="refill",
        summary="Cross-scale pixel refilling: hidden pixels are filled from similar patches at "
        "half the size. For correlated camera noise.",
        citation="Zero-Shot Blind-Spot Image Denoising via Cross-Scale Non-Local Pixel Refilling. "
        "NeurIPS 2025.",
        make=partial(_make, "refill:recipe"),
        seconds=80,
    ),
    Method(
        name="bm3d",
        summary="BM3D, grey and colour, told zspot's noise level. For white noise. Needs the extra "
        "`bm3d`, whose licence is non-commercial.",
        citation="Dabov, Foi, Katkovnik, Egiazarian. Image Denoising by Sparse 3-D "
        "Transform-Domain Collaborative Filtering. IEEE Trans. Image Process. 16(8), 2007, "
        "pp. 2080-2095.",
        make=partial(_make, "bm3d:make"),
        pretrained=True,
        takes_sigma=True,
        extra="bm3d",
        licence="non-commercial",
        shares_fit=False,
        seconds=6,
        per_megapixel=190,
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ENTRIES}

ONE_IMAGE_METHODS = [name for name, method in METHODS.items() if not method.needs_second]
"""Methods that take one image: the page asks for no second."""
