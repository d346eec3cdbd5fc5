"""What the noise of one image is like."""

from zspot.noise.plot import plot_noise
from zspot.noise.report import NoiseReport, analyze_noise

__all__ = ["NoiseReport", "analyze_noise", "plot_noise"]
