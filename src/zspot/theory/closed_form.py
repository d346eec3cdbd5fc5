"""What a linear blind-spot denoiser can reach: Proposition 1 (CVPR 2025); see docs/theory.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from zspot.core.errors import TheoryError
from zspot.theory.linear import Neighbours, check_choice, check_number, check_parameters

FORMS = ("difference", "fraction")


class Slopes(NamedTuple):
    """Derivatives of the risk by each parameter; float64 ndarrays of the parameters' shape."""

    noise_correlation: np.ndarray  #: by its square; never negative
    deviation: np.ndarray  #: by its square; of the sign of ``x_0^2 - |lambda_n| sigma^2``
    visible: np.ndarray  #: by the number of pixels; 0 or of the opposite sign
    #: by sigma^2 with `deviation` kept, so that the values deviate more too; never negative
    sigma: np.ndarray


class _Terms(NamedTuple):
    """Terms of the closed form, of whatever type the parameters have."""

    m: Any  # visible pixels
    power: Any  # x_0^2
    noise: Any  # sigma^2
    common: Any  # noise_correlation^2
    shared: Any  # E(y_0 y_j)
    spread: Any  # variance of the deviations / sigma^2
    whole: Any  # the denominator

    @classmethod
    def of(cls, five: Iterable[Any], model: str) -> "_Terms":
        """Return the terms for the five parameters of a `BlindSpot`."""
        value, sigma, correlation, deviation, m = five
        power, noise, common = value**2, sigma**2, correlation**2
        spread = deviation**2 * (power if model == "multiplicative" else 1.0)
        whole = m * power + (m - 1) * common * noise + spread * noise + noise
        return cls(m, power, noise, common, power + correlation * noise, spread, whole)

    def risk(self, form: str) -> Any:
        """Return the risk in one of its forms."""
        check_choice("form", form, FORMS)
        m, power, noise, common, _, spread, whole = self
        if form == "difference":
            return power - m * (power**2 - common * noise**2) / whole
        return (power * noise * ((m - 1) * common + spread + 1) + m * common * noise**2) / whole


@dataclass(frozen=True)
class BlindSpot:
    """The setting of Proposition 1: all visible pixels are alike.

    Every parameter but `model` may be a number or an array; arrays broadcast. TheoryError: if one
    is out of range, or value and noise are both 0 and nothing is defined.
    """

    #: clean value x_0 of the hidden pixel, in intensities from the zero the denoiser works with
    value: Any
    sigma: Any  #: standard deviation of the noise, intensities, at least 0
    #: lambda_n, correlation of each visible pixel's noise with the hidden one's, in [-1, 1]
    noise_correlation: Any
    #: lambda_v, at least 0: standard deviation of x_j - x_0 in units of `sigma` (additive) or of
    #: `sigma` times `value` (multiplicative)
    deviation: Any
    #: M, at least 0; a fraction is meant as a mean over masks and is only an approximation
    visible: Any
    model: str = "additive"  #: or "multiplicative": how values deviate

    def __post_init__(self) -> None:
        check_parameters(self)
        check_number("visible", self.visible, 0)
        if not (self._terms().whole > 0).all():
            needed = "value, or sigma and what varies, must not be 0"
            raise TheoryError(f"nothing is uncertain: {needed}")

    def _numbers(self) -> list[np.ndarray]:
        five = (self.value, self.sigma, self.noise_correlation, self.deviation, self.visible)
        return [np.asarray(x, dtype=np.float64) for x in five]

    def _terms(self) -> _Terms:
        return _Terms.of(self._numbers(), self.model)

    def weight(self) -> np.ndarray:
        """Return the weight that every visible pixel gets."""
        p = self._terms()
        return p.shared / p.whole

    def risk(self, form: str = "fraction") -> np.ndarray:
        """Return the risk, squared intensities; float64 ndarray of the parameters' shape.

        The `form` "difference" is x_0^2 minus what the visible pixels explain, as printed;
        "fraction" is the same over one denominator, which loses no digits where the risk is small.
        """
        return self._terms().risk(form)

    def loss(self) -> np.ndarray:
        """Return the self-supervised loss that the weights reach, squared intensities."""
        p = self._terms()
        return p.power + p.noise - p.m * p.shared**2 / p.whole

    def limit(self) -> np.ndarray:
        """Return the risk for infinitely many visible pixels: what noise correlation costs."""
        p = self._terms()
        bottom = p.power + p.common * p.noise
        # With a value of 0 and independent noise all weights are 0, and so is the error.
        safe = np.where(bottom > 0, bottom, 1.0)
        return np.where(bottom > 0, p.common * p.noise * (p.power + p.noise) / safe, 0.0)

    def slopes(self) -> Slopes:
        """Return the exact derivatives of the risk."""
        p = self._terms()
        gain = p.power**2 - p.common * p.noise**2
        unit = p.power if self.model == "multiplicative" else 1.0
        rest = (p.m - 1) * p.common + p.spread + 1
        bottom = p.whole**2
        return Slopes(
            p.m * p.noise * ((p.m - 1) * gain + p.noise * p.whole) / bottom,
            p.m * gain * p.noise * unit / bottom,
            -gain * p.noise * (1 + p.spread - p.common) / bottom,
            p.m * (2 * p.common * p.noise * p.whole + gain * rest) / bottom,
        )

    def neighbours(self) -> Neighbours:
        """Return the same setting pixel by pixel; needs plain numbers and a whole `visible`."""
        numbers = self._numbers()
        if any(x.ndim for x in numbers) or numbers[4] < 1 or numbers[4] % 1:
            needed = "must be a whole number from 1 up, and all else numbers"
            raise TheoryError(f"visible={self.visible!r}: {needed}")
        value, sigma, correlation, deviation, visible = (float(x) for x in numbers)
        every = np.ones(int(visible))
        return Neighbours(value, sigma, correlation * every, deviation * every, self.model)
