"""The pictures of a session, written into its folder."""

import secrets
from pathlib import Path

import numpy as np
from PIL import Image

from zspot.frontends.web import texts
from zspot.frontends.web.session import Session

CROP = 96
_LOSSLESS_PIXELS = 4_000_000
_LAG = 22  # pixels on the screen for each lag
_KEPT = 16  # pictures made for a result and its strengths
_DEVIATIONS = 4.0
_HEAT = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], float)
_COLD_HOT = np.array([[33, 102, 172], [247, 247, 247], [178, 24, 43]], float)


class Scale:
    """How intensities become 0 to 255: fixed by the noisy image, so that pictures compare."""

    def __init__(self, image: np.ndarray, channel_axis: int | None) -> None:
        self._axis = channel_axis
        if image.dtype == np.uint8:
            self._low, self._high = 0.0, 255.0
        else:
            low, high = np.percentile(image, (0.1, 99.9)).astype(float)
            self._low, self._high = low, high if high > low else low + 1.0

    def picture(self, image: np.ndarray) -> np.ndarray:
        """Return uint8 (H, W, 3)."""
        values = (image.astype(np.float64) - self._low) * (255.0 / (self._high - self._low))
        return self._rgb(values)

    def difference(self, before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, float]:
        """Return before - after around grey as uint8 (H, W, 3), and the value shown as white."""
        change = before.astype(np.float64) - after.astype(np.float64)
        reach = _DEVIATIONS * float(np.sqrt(np.mean(change**2))) or 1.0
        return self._rgb(127.5 + 127.5 * change / reach), reach

    def heat(self, values: np.ndarray) -> tuple[np.ndarray, float]:
        """Return magnitudes as colours from black (0) to yellow, and the value shown as yellow."""
        axis = self._axis
        flat = values if axis is None else np.sqrt(np.mean(np.square(values), axis=axis))
        top = float(np.percentile(flat, 99.5)) or 1.0
        return _colours(_HEAT, flat / top), top

    def _rgb(self, values: np.ndarray) -> np.ndarray:
        values = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        if self._axis is None:
            return np.repeat(values[..., None], 3, axis=2)
        last = np.moveaxis(values, self._axis, -1)
        if last.shape[2] == 1:
            return np.repeat(last, 3, axis=2)
        if last.shape[2] == 2:  # two dyes: red and green
            return np.concatenate([last, np.zeros_like(last[..., :1])], axis=2)
        return np.ascontiguousarray(last[..., :3])


def centre(picture: np.ndarray) -> np.ndarray:
    """Return the middle of a picture, every pixel twice as large."""
    top, left = (max(0, (n - CROP) // 2) for n in picture.shape[:2])
    return _enlarged(picture[top : top + CROP, left : left + CROP], 2)


def _enlarged(picture: np.ndarray, times: int) -> np.ndarray:
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def save(picture: np.ndarray, folder: Path, name: str) -> Path:
    """Write a picture; a large one as JPEG, so that it loads."""
    small = picture.shape[0] * picture.shape[1] <= _LOSSLESS_PIXELS
    path = folder / f"{name}{'.png' if small else '.jpg'}"
    # Each format takes its own options.
    Image.fromarray(picture).save(path, compress_level=1, quality=95, subsampling=0)
    return path


def _colours(stops: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return colours for values 0 to 1 along evenly spaced stops, uint8 (H, W, 3)."""
    place = np.linspace(0, 1, len(stops))
    parts = [np.interp(values, place, stops[:, channel]) for channel in range(3)]
    return np.rint(np.stack(parts, axis=-1)).astype(np.uint8)


def noise(session: Session) -> str:
    """Return the noise report of the file that is open."""
    assert session.image is not None
    assert session.noise is not None
    place, axis = session.places[0]
    plane = session.image.data[place]
    folder = session.source.parent
    colours = _colours(_COLD_HOT, (session.noise.autocorrelation + 1) / 2)
    correlation = save(_enlarged(colours, _LAG), folder, "correlation")
    crop = save(centre(Scale(plane, axis).picture(plane)), folder, "crop")
    count = len(session.places)
    which = f" of the first of {count} planes" if count > 1 else ""
    return texts.noise_report(session.noise, correlation, crop, which)


def pictures(session: Session, number: int, strength: float, keep: float) -> str:
    """Return the viewer's value for one plane at one strength."""
    assert session.image is not None
    place, axis = session.places[number]
    plane = session.image.data[place]
    scale = Scale(plane, axis)
    picture = scale.picture(plane)
    kind = texts.kind_of(session.image, session.source.name)
    made, notes = {"before": picture}, {"before": kind}
    if session.results:
        result = session.results[number]
        after = result.blend(strength, keep)
        made["after"] = scale.picture(after)
        made["residual"], reach = scale.difference(plane, after)
        notes["residual"] = texts.REMOVED.format(reach)
        if result.uncertainty is not None:
            made["uncertainty"], top = scale.heat(result.uncertainty)
            notes["uncertainty"] = texts.UNCERTAINTY.format(top)
        notes["after"] = notes["compare"] = f"{kind}; strength {strength:g}"
    folder = session.source.parent
    # The noisy picture keeps its name, by which the viewer knows that it is still the same image.
    names = {k: f"{k}-{number}" if k == "before" else secrets.token_hex(6) for k in made}
    # All but the newest go, which a browser may still be loading; every plane has a noisy picture.
    views = sorted(folder.glob("view-*"), key=lambda path: path.stat().st_mtime_ns)
    for old in views[: -_KEPT - len(session.places)]:
        old.unlink(missing_ok=True)
    paths = {k: save(v, folder, f"view-{names[k]}") for k, v in made.items()}
    return texts.viewer_value(paths, picture.shape[:2], notes)
