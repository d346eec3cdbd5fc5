"""All that the page says: its words, and HTML made from numbers."""

import html
from pathlib import Path

from zspot.algorithms import METHODS, ONE_IMAGE_METHODS
from zspot.api import Result
from zspot.core.errors import plainly
from zspot.core.progress import Progress, duration, left_in_words, stage_in_words
from zspot.frontends.web.session import Opened
from zspot.io import ImageFile
from zspot.noise import NoiseReport
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
CANCELLED = "Cancelled: nothing was changed."
REMOVED = "Before minus after; black -{0}, grey 0, white {0}."
UNCERTAINTY = """How much the averaged predictions differ: black 0, yellow {}. It shows where \
the method wavers, not the error."""
VERDICTS = {
    "good": "Looks right",
    "check": "Look closely",
    "poor": "Do not rely on it as it is",
    "unknown": "Cannot be judged",
}

EMPTY = (
    '<p class="zs-empty">Choose an image: what its noise is like and the picture itself appear '
    "here, before and after.</p>"
)


def method_labels(opened: Opened | None = None) -> list[tuple[str, str]]:
    """Return each method's label, with its time for a file or 128 x 128 pixels, and its name."""
    pixels, planes = (opened.pixels, len(opened.places)) if opened else (128 * 128, 1)
    labels = []
    for method in map(METHODS.__getitem__, ONE_IMAGE_METHODS):
        weights = "trained weights" if method.pretrained else "your image alone"
        licence = "" if method.licence == "BSD" else f", {method.licence}"
        took = duration(planes * (method.seconds_for(pixels) or 0))
        labels.append((f"{method.name} ({weights}{licence}, {took})", method.name))
    return labels


def named(opened: Opened) -> str:
    """Name a file in the list of those to look at, with the method if it is denoised."""
    return f"{opened.path.name}{f' ({opened.results[0].method})' if opened.results else ''}"


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


def noise_report(report: NoiseReport, correlation: str, plane: str) -> str:
    """Return the report in plain words with a map."""
    first, *more = map(html.escape, explain(report))
    sentences = "".join(f"<p>{one}</p>" for one in more)
    known = {"plane": html.escape(plane), "lag": report.lag_one, "map": correlation}
    return _template("noise.html").format(first=first, more=sentences, **known)


def trust_panel(result: Result) -> str:
    """Return the verdict, its sentence, what else was done, and unfolding the rest."""
    trust = result.trust
    reason, *told = (f"{words[:1].upper()}{words[1:]}." for words in (result.reason, *result.told))
    fitted, losses = "", "nothing was fitted"
    if trust.held_out_first is not None:
        fitted = ", begin to end of the fit"
        losses = f"{plainly(trust.held_out_first, 3)} to {plainly(trust.held_out_last or 0, 3)}"
    return _template("trust.html").format(
        trust=trust,
        verdict=VERDICTS[trust.verdict],
        said=html.escape(" ".join((trust.sentence, *told))),
        reason=html.escape(reason),
        removed=plainly(trust.removed_level, 3),
        noise=plainly(trust.noise_level, 3),
        flat=1 - abs(trust.noise_correlation),
        fitted=fitted,
        losses=losses,
    )


def _template(name: str) -> str:
    """Return a file beside this one without its line breaks."""
    return Path(__file__).with_name(name).read_text("utf-8").replace("\n", "")


def kind_of(image: ImageFile, name: str) -> str:
    """Say what is in a file."""
    size = " x ".join(str(n) for n in image.data.shape)
    words = f"{name}: {image.data.dtype}, {size} ({image.axes}); shown as 8 bit"
    return ". ".join([words, *image.notes])


def report_of(opened: Opened) -> dict[str, object]:
    """Return what is known about a run as plain values."""
    result, seconds = opened.results[0], opened.seconds
    names = ("method", "reason", "seed", "device", "versions")
    known = {name: getattr(result, name) for name in names}
    recipe = result.recipe.to_dict() if result.recipe is not None else None
    return {**known, "seconds": seconds, "recipe": recipe, "trust": result.trust.to_dict()}
