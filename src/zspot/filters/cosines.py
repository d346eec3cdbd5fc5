"""The orthonormal cosine basis."""

import numpy as np


def cosine_basis(side: int) -> np.ndarray:
    """Return the orthonormal DCT-II, float64 (side, side), one basis function a row."""
    n = np.arange(side)
    basis = np.sqrt(2 / side) * np.cos(np.pi * (n + 0.5) * n[:, None] / side)
    basis[0] /= np.sqrt(2)
    return basis
