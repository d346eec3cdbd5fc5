"""All that the page says and shows: its words, HTML made from numbers, and pictures of files."""

import html
import json
import secrets
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from zspot.algorithms import METHODS
from zspot.api import Result
from zspot.api.pictures import Scale, colours
from zspot.core.axes import channel_axis
from zspot.core.errors import plainly
from zspot.core.progress import Progress, duration, left_in_words, stage_in_words
from zspot.frontends.web.session import Opened
from zspot.noise.words import explain

INTRO = """# zspot
Removes noise from one image and gives back the same kind of file. The default method has small \
trained weights; `auto-scratch` uses your image alone. All work is done on the serving computer."""
KINDS = "PNG, JPEG, TIFF, camera RAW, FITS, DICOM, OpenEXR and more. Nothing at hand? Try one:"
WRONG_TYPE = "the call has too few values or one of a wrong type: see the schema of the API"
METHODS_INFO = "auto looks at the noise and chooses; times are rough, for one core"
WAITING = "waiting for a free core"
LOOKING = "looking at the noise"
STOPPING = "stopping"
REMOVED = "Before minus after; black -{0}, grey 0, white {0}."
UNCERTAINTY = """How much the averaged predictions differ: black 0, yellow {}. It shows where \
the method wavers, not the error."""
VERDICTS = {
    "good": "Looks right",
    "check": "Look closely",
    "poor": "Do not rely on it as it is",
    "unknown": "Cannot be judged",
}

EMPTY = """<p class="zs-empty">Choose an image: what its noise is like and the picture itself \
appear here, before and after.</p>"""

_LOSSLESS_PIXELS = 4_000_000
_LAG = 22  # pixels on the screen for each lag
_KEPT = 16  # pictures made for a result and its strengths
_COLD_HOT = np.array([[33, 102, 172], [247, 247, 247], [178, 24, 43]], float)


def method_labels(opened: Opened | None = None) -> list[tuple[str, str]]:
    """Return each method's label, with its time for a file or 128 x 128 pixels, and its name."""
    pixels, planes = (opened.pixels, len(opened.places)) if opened else (128 * 128, 1)
    labels = []
    for method in METHODS.values():
        alone = "your two images" if method.needs_second else "your image alone"
        weights = "trained weights" if method.pretrained else alone
        licence = "" if method.licence == "BSD" else f", {method.licence}"
        seconds = method.seconds_for(pixels)
        took = "" if seconds is None else f", {duration(planes * seconds)}"
        labels.append((f"{method.name} ({weights}{licence}{took})", method.name))
    return labels


def named(opened: Opened) -> str:
    """Name a file in the list of those to look at, with the method if it is denoised."""
    return f"{opened.path.name}{f' ({opened.results[0].method})' if opened.results else ''}"


def cancelled(done: int, count: int) -> str:
    """Say what a run leaves that was cancelled after so many of its files."""
    left = f"{done} of {count} files are done" if done else "nothing was changed"
    return status(f"Cancelled: {left}.")


def alert(message: str) -> str:
    """Say what went wrong."""
    return f'<div class="zs-alert" role="alert">{html.escape(message)}</div>' if message else ""


def status(words: str, done: float | None = None) -> str:
    """Say how far the run is; `done` from 0 to 1 adds a bar."""
    text = f'<div class="zs-status" role="status">{html.escape(words)}</div>'
    if done is None:
        return text
    value = round(100 * done)
    bar = (
        f'<div class="zs-bar" role="progressbar" aria-label="Denoising" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{value}"><div style="width:{value}%"></div></div>'
    )
    return bar + text


def progress(news: Progress, which: str = "") -> str:
    """Return bar and words of a run's progress; `which` file of several comes first."""
    share = news.done / news.total if news.total else 0.0
    return status(f"{which}{stage_in_words(news)}: {left_in_words(news)}", share)


def noise_report(opened: Opened) -> str:
    """Return the noise report of a file in plain words with a map."""
    report, count = opened.noise, len(opened.places)
    mapped = colours(_COLD_HOT, (report.autocorrelation + 1) / 2)
    first, *more = map(html.escape, explain(report))
    return _template("noise.html").format(
        plane=f" of the first of {count} planes" if count > 1 else "",
        first=first,
        more="".join(f"<p>{one}</p>" for one in more),
        lag=report.lag_one,
        map=_save(mapped.repeat(_LAG, 0).repeat(_LAG, 1), opened.path.parent, "correlation"),
    )


def trust_panel(result: Result) -> str:
    """Return the verdict, its sentence, what else was done, and unfolding the rest."""
    trust = result.trust
    reason, *told = (f"{words[:1].upper()}{words[1:]}." for words in (result.reason, *result.told))
    return _template("trust.html").format(
        trust=trust,
        verdict=VERDICTS[trust.verdict],
        said=html.escape(" ".join((trust.sentence, *told))),
        reason=html.escape(reason),
        removed=plainly(trust.removed_level, 3),
        noise=plainly(trust.noise_level, 3),
    )


def report_of(opened: Opened) -> dict[str, object]:
    """Return what is known about a run as plain values."""
    result, seconds = opened.results[0], opened.seconds
    names = ("method", "reason", "seed", "device", "versions")
    known = {name: getattr(result, name) for name in names}
    recipe = result.recipe.to_dict() if result.recipe is not None else None
    return {**known, "seconds": seconds, "recipe": recipe, "trust": asdict(result.trust)}


def pictures(opened: Opened, number: int, result: Result | None) -> str:
    """Return the viewer's value for one plane and its result, if there is one."""
    image, place = opened.image, opened.places[number]
    plane = image.data[place]
    valid = result.valid if result else image.valid_at(place)
    scale = Scale(plane, channel_axis(opened.axes), valid)
    size = " x ".join(map(str, image.data.shape))
    kind = f"{opened.path.name}: {image.data.dtype}, {size} ({image.axes}); shown as 8 bit"
    kind = ". ".join((kind, *image.notes))
    made, notes = {"before": scale.picture(plane)}, {"before": kind}
    if result:
        made["after"] = scale.picture(result.image)
        made["residual"], reach = scale.difference(plane, result.image)
        notes["residual"] = REMOVED.format(plainly(reach, 3))
        if result.uncertainty is not None:
            made["uncertainty"], top = scale.heat(result.uncertainty)
            notes["uncertainty"] = UNCERTAINTY.format(plainly(top, 3))
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


def _template(name: str) -> str:
    """Return a file beside this one without its line breaks."""
    return Path(__file__).with_name(name).read_text("utf-8").replace("\n", "")


def _save(picture: np.ndarray, folder: Path, name: str) -> str:
    """Write a picture, a large one as JPEG, so that it loads; return where the page finds it."""
    small = picture.shape[0] * picture.shape[1] <= _LOSSLESS_PIXELS
    path = folder / f"{name}{'.png' if small else '.jpg'}"
    # Each format takes its own options.
    Image.fromarray(picture).save(path, compress_level=1, quality=95, subsampling=0)
    return f"gradio_api/file={path}"  # relative to the page, which may be behind a proxy
