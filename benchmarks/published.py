"""Published figures to set beside measured ones: whole sets, PSNR in dB / SSIM as printed.

Collected from the papers of the methods; each was measured by its own authors' evaluation, so
differences of 0.1 dB between a published and a measured figure mean little.
"""

from __future__ import annotations

PUBLISHED: dict[tuple[str, str], dict[str, str]] = {
    ("sidd_val", ""): {
        "noisy": "23.66", "bsn-ins": "35.29 / .868", "mash": "35.06 / .851",
        "score-dvi": "34.75 / .856", "self2self": "29.46 / .595", "dip": "32.11 / .740",
        "bm3d": "25.65-30.83", "ap-bsn": "30.90 / .818", "refill": "36.32 / .874",
    },
    ("fmdd", ""): {
        "noisy": "27.22", "bsn-ins": "33.91 / .885", "mash": "33.71 / .882",
        "score-dvi": "33.10 / .865", "self2self": "30.76 / .695", "dip": "32.90 / .854",
        "bm3d": "30.06-31.80", "ap-bsn": "28.43 / .804", "refill": "33.47 / .882",
    },
    ("polyu", ""): {
        "noisy": "35.97", "bsn-ins": "37.86 / .957", "mash": "37.62 / .932",
        "score-dvi": "37.77 / .959", "self2self": "37.52 / .926", "dip": "37.17 / .912",
        "bm3d": "37.40 / .953", "ap-bsn": "29.61 / .897",
    },
    ("cc", ""): {
        "noisy": "33.41", "bsn-ins": "37.20 / .946", "mash": "36.87 / .93",
        "score-dvi": "37.09 / .945", "self2self": "37.52 / .951",
    },
    ("set9", "white:25"): {
        "noisy": "20.2", "bsn-ins": "29.73 / .926", "mash": "29.54 / .921",
        "score-dvi": "29.33 / .925", "self2self": "31.74 / .956", "dip": "30.77 / .942",
        "bm3d": "31.67 / .955", "ap-bsn": "26.41 / .862",
    },
    ("bsd68", "white:25"): {
        "noisy": "20.2", "bsn-ins": "26.81 / .677", "mash": "26.53 / .666",
        "score-dvi": "26.78 / .671", "self2self": "28.70 / .803", "dip": "27.96 / .774",
        "bm3d": "28.56 / .801", "ap-bsn": "24.14 / .572",
    },
    ("kodak24", "white:25"): {  # 256 x 256 crops, another paper's run
        "noisy": "20.2", "bsn-ins": "23.55", "mash": "24.29", "score-dvi": "29.31",
        "self2self": "28.39", "dip": "27.38", "refill": "29.12",
    },
}  # fmt: skip

SECONDS = {"bsn-ins": 48.0, "mash": 39.0, "score-dvi": 66.0, "refill": 65.0, "self2self": 1273.0,
           "dip": 89.0, "zs-n2n": 12.5}  # fmt: skip
"""Seconds per 256 x 256 image as published, on an A6000 GPU."""
