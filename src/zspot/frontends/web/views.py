"""The pictures of a session, written into its folder."""

import secrets
from pathlib import Path

from zspot.frontends.web import texts
from zspot.frontends.web.pictures import Scale, centre, correlation_picture, save
from zspot.frontends.web.session import Session

_KEPT = 16  # pictures made for a result and its strengths


def noise(session: Session) -> str:
    """Return the noise report of the file that is open."""
    assert session.image is not None
    assert session.noise is not None
    place, axis = session.places[0]
    plane = session.image.data[place]
    folder = session.source.parent
    correlation = save(correlation_picture(session.noise.autocorrelation), folder, "correlation")
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
        notes["residual"] = texts.removed(reach)
        if result.uncertainty is not None:
            made["uncertainty"], top = scale.heat(result.uncertainty)
            notes["uncertainty"] = texts.uncertainty(top)
        notes["after"] = notes["compare"] = f"{kind}; strength {strength:g}"
    folder = session.source.parent
    # The noisy picture keeps its name, by which the viewer knows that it is still the same image.
    names = {k: f"{k}-{number}" if k == "before" else secrets.token_hex(6) for k in made}
    _forget(folder, len(session.places))
    paths = {k: save(v, folder, f"view-{names[k]}") for k, v in made.items()}
    return texts.viewer_value(paths, picture.shape[:2], notes)


def _forget(folder: Path, planes: int) -> None:
    """Remove all but the newest pictures: a browser may still be loading those."""
    kept = _KEPT + planes  # every plane has its noisy picture
    views = sorted(folder.glob("view-*"), key=lambda path: path.stat().st_mtime_ns)
    for old in views[:-kept]:
        old.unlink(missing_ok=True)
