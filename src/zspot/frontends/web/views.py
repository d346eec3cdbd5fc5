"""The pictures of a session, written into its folder."""

import secrets
from pathlib import Path

import numpy as np
from PIL import Image

from zspot.api.pictures import Scale, colours
from zspot.core.errors import plainly
from zspot.frontends.web import texts
from zspot.frontends.web.session import Session

_LOSSLESS_PIXELS = 4_000_000
_LAG = 22  # pixels on the screen for each lag
_KEPT = 16  # pictures made for a result and its strengths
_COLD_HOT = np.array([[33, 102, 172], [247, 247, 247], [178, 24, 43]], float)


def save(picture: np.ndarray, folder: Path, name: str) -> Path:
    """Write a picture; a large one as JPEG, so that it loads."""
    small = picture.shape[0] * picture.shape[1] <= _LOSSLESS_PIXELS
    path = folder / f"{name}{'.png' if small else '.jpg'}"
    # Each format takes its own options.
    Image.fromarray(picture).save(path, compress_level=1, quality=95, subsampling=0)
    return path


def noise(session: Session) -> str:
    """Return the noise report of the file that is open."""
    assert session.image is not None
    assert session.noise is not None
    folder = session.source.parent
    mapped = colours(_COLD_HOT, (session.noise.autocorrelation + 1) / 2)
    correlation = save(mapped.repeat(_LAG, 0).repeat(_LAG, 1), folder, "correlation")
    count = len(session.places)
    which = f" of the first of {count} planes" if count > 1 else ""
    return texts.noise_report(session.noise, correlation, which)


def pictures(session: Session, number: int, strength: float, keep: float) -> str:
    """Return the viewer's value for one plane at one strength."""
    assert session.image is not None
    place, axis = session.places[number]
    plane = session.image.data[place]
    valid = session.results[number].valid if session.results else session.image.valid_at(place)
    scale = Scale(plane, axis, valid)
    picture = scale.picture(plane)
    kind = texts.kind_of(session.image, session.source.name)
    made, notes = {"before": picture}, {"before": kind}
    if session.results:
        result = session.results[number]
        after = result.blend(strength, keep)
        made["after"] = scale.picture(after)
        made["residual"], reach = scale.difference(plane, after)
        notes["residual"] = texts.REMOVED.format(plainly(reach, 3))
        if result.uncertainty is not None:
            made["uncertainty"], top = scale.heat(result.uncertainty)
            notes["uncertainty"] = texts.UNCERTAINTY.format(plainly(top, 3))
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
