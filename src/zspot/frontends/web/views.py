"""The pictures of a file that is open, written into its folder."""

import json
import secrets
from pathlib import Path

import numpy as np
from PIL import Image

from zspot.api import Result
from zspot.api.pictures import Scale, colours
from zspot.core.errors import plainly
from zspot.frontends.web import texts
from zspot.frontends.web.session import Opened

_LOSSLESS_PIXELS = 4_000_000
_LAG = 22  # pixels on the screen for each lag
_KEPT = 16  # pictures made for a result and its strengths
_COLD_HOT = np.array([[33, 102, 172], [247, 247, 247], [178, 24, 43]], float)


def noise(opened: Opened) -> str:
    """Return the noise report of a file."""
    mapped = colours(_COLD_HOT, (opened.noise.autocorrelation + 1) / 2)
    correlation = _save(mapped.repeat(_LAG, 0).repeat(_LAG, 1), opened.path.parent, "correlation")
    count = len(opened.places)
    which = f" of the first of {count} planes" if count > 1 else ""
    return texts.noise_report(opened.noise, correlation, which)


def pictures(opened: Opened, number: int, result: Result | None) -> str:
    """Return the viewer's value for one plane and its result, if there is one."""
    place, axis = opened.places[number]
    plane = opened.image.data[place]
    scale = Scale(plane, axis, result.valid if result else opened.image.valid_at(place))
    kind = texts.kind_of(opened.image, opened.path.name)
    made, notes = {"before": scale.picture(plane)}, {"before": kind}
    if result:
        made["after"] = scale.picture(result.image)
        made["residual"], reach = scale.difference(plane, result.image)
        notes["residual"] = texts.REMOVED.format(plainly(reach, 3))
        if result.uncertainty is not None:
            made["uncertainty"], top = scale.heat(result.uncertainty)
            notes["uncertainty"] = texts.UNCERTAINTY.format(plainly(top, 3))
        notes["after"] = notes["compare"] = f"{kind}; strength {opened.strength:g}"
        if number < len(opened.earlier):
            before = opened.earlier[number]
            made["earlier"] = scale.picture(before.image)
            notes["earlier"] = f"left {before.method}, of the run before; right {result.method}"
    folder = opened.path.parent
    # The noisy picture keeps its name, by which the viewer knows that it is still the same image.
    names = {k: f"{k}-{number}" if k == "before" else secrets.token_hex(6) for k in made}
    # All but the newest go, which a browser may still be loading; every plane has a noisy picture.
    views = sorted(folder.glob("view-*"), key=lambda path: path.stat().st_mtime_ns)
    for old in views[: -_KEPT - len(opened.places)]:
        old.unlink(missing_ok=True)
    places = {k: _save(v, folder, f"view-{names[k]}") for k, v in made.items()}
    height, width = made["before"].shape[:2]
    return json.dumps({**places, "height": height, "width": width, "notes": notes})


def _save(picture: np.ndarray, folder: Path, name: str) -> str:
    """Write a picture, a large one as JPEG, so that it loads; return where the page finds it."""
    small = picture.shape[0] * picture.shape[1] <= _LOSSLESS_PIXELS
    path = folder / f"{name}{'.png' if small else '.jpg'}"
    # Each format takes its own options.
    Image.fromarray(picture).save(path, compress_level=1, quality=95, subsampling=0)
    return f"gradio_api/file={path}"  # relative to the page, which may be behind a proxy
