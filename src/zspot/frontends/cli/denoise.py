"""`zspot denoise`: its options, the run of single files, and that of many with a summary."""

# ruff: noqa: RUF009  (typer replaces the defaults of `Asked`)
from __future__ import annotations

import inspect
import os
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from typer import Argument, Exit

from zspot.core.errors import OptionError, StoppedError, ZspotError, error_in_words
from zspot.core.ranges import AT_ONCE
from zspot.frontends.cli.console import FAILED, examples, fail, progress_bar, switch, tell, value
from zspot.frontends.cli.piping import PIPE, places

if TYPE_CHECKING:
    from zspot.api import Result
    from zspot.files import Outcome, Summary
    from zspot.recipe import Recipe

EXAMPLES = examples(
    "zspot denoise noisy.png",
    "zspot denoise noisy.png clean.png --compare before-after.png",
    "zspot denoise a.png b.png c.png some/",
    "zspot denoise large.tif --preview 400,300,256,256",
    "zspot denoise cells.ome.tif cells-clean.ome.tif --effort best",
    "zspot denoise stack.tif clean.tif --axes ZYX",
    "zspot denoise first.png clean.png --method n2n --second other.png",
    "zspot denoise noisy.png softer.png --strength 0.8 --keep-detail 0.5",
    "zspot denoise noisy.png clean.png --save-recipe used.toml",
    "zspot denoise night/ night-clean/",
    "zspot denoise 'night/*.png' some/ --workers 1",
)
_COUNT: dict[str, Any] = {"min": 1, "max": AT_ONCE}
Effort = StrEnum("Effort", ["fast", "balanced", "best"])  # how much time to spend


@dataclass(frozen=True)
class Asked:
    """What `zspot denoise` is asked for; the fields are the parameters of the command line."""

    paths: list[Path] = Argument(
        metavar="INPUT",
        help="Noisy files, a folder or a pattern; - for standard input. Last comes OUTPUT: the "
        "file to write, a folder for many, - for standard output. Without it, NAME-denoised beside "
        "INPUT.",
    )
    method: str | None = value(None, "Method; `zspot methods` lists them.", show_default="auto")
    effort: Effort | None = value(None, "Time against quality.", show_default="balanced")
    recipe: Path | None = value("FILE.toml", "Run this recipe instead of a method.")
    save_recipe: Path | None = value("FILE.toml", "Write the recipe that ran (on the last plane).")
    second: Path | None = value("FILE", "Second noisy image of the scene, for method n2n.")
    strength: float = value("0..1", "How much of the result: 0 gives the input.", 1.0)
    keep_detail: float = value("0..1", "Share of the detail it removed to put back.", 0.0)
    nodata: float | None = value("VALUE", "Value of pixels without picture.", show_default="none")
    mask: Path | None = value("FILE", "Image that is 0 where there is no picture.")
    keep_outliers: bool = switch("Do not repair hot and dead pixels.", "--keep-outliers")
    dtype: str | None = value("float32|same", "For few photons: write fractions, or round.")
    sigma: float | None = value("LEVEL", "Level of white noise, if known.", show_default="measured")
    seed: int = value(None, "Same seed, same result on a CPU.", 0, min=0)
    device: str = value(None, "auto, cpu, cuda, cuda:1 or mps.", "auto")
    axes: str | None = value("TZCYX", "Name the axes of a stack, S for colours, Q for any.")
    neighbours: str = value("N|auto", "How many planes before and after help a plane.", "0")
    sequence: bool = switch("Files are frames of one scene, which help each other.", "--sequence")
    burst: bool = switch("Make one picture of several shots of one scene.", "--burst")
    share_fit: bool = switch("Fit a stack once: its planes start from the first.", "--share-fit")
    max_memory: str | None = value("2GB", "Largest memory to use.", show_default="half of the free")
    threads: int | None = value(None, "CPU threads for an image. [all; 1 for many files]", **_COUNT)
    scheduler: str | None = value("tcp://HOST:PORT", "Running Dask cluster for many files.")
    workers: int | None = value(None, "Processes for many files. [cores over threads]", **_COUNT)
    format: str | None = value("png", "Format of standard output.", show_default="that of INPUT")
    compare: Path | None = value("FILE.png", "Draw before, after and what it removed (last plane).")
    preview: str | None = value("X,Y,W,H", "Denoise this part alone, to see what would be done.")
    verbose: bool = switch("Say what was measured, too.", "--verbose", "-v")
    quiet: bool = switch("Print errors only.", "--quiet", "-q")
    overwrite: bool = switch("Replace OUTPUT if it exists.")

    @property
    def inputs(self) -> list[Path]:
        """What is to be denoised: all but OUTPUT; all, where more than two files are there."""
        last = self.paths[-1]
        if self.sequence or self.burst:
            return self.paths[:-1] or self.paths
        several = len(self.paths) > 2 and not last.is_dir() and bool(last.is_file() or last.suffix)
        if several and not all(path.is_file() for path in self.paths):
            raise OptionError(f"several files need a folder as OUTPUT: {last} is none")
        return self.paths if several or len(self.paths) == 1 else self.paths[:-1]

    @property
    def shots(self) -> Path | list[Path]:
        """What is to be denoised together: a folder or pattern, or several files."""
        return self.inputs if self.inputs[1:] else self.source

    @property
    def source(self) -> Path:
        """What is to be denoised, of several the first."""
        return self.inputs[0]

    @property
    def target(self) -> Path | None:
        """Where the result goes, if it is said."""
        return None if len(self.inputs) == len(self.paths) else self.paths[-1]

    def check(self, many: bool) -> None:
        """Refuse options that do not go together."""
        recipe, saves = self.recipe is not None, self.save_recipe is not None
        named = self.method is not None or self.effort is not None
        remote, local = self.scheduler is not None, self.workers is not None
        nowhere, several = self.target in (None, PIPE), many or self.burst or len(self.inputs) > 1
        single = ("second", "save_recipe", "compare", "preview")
        lone = [name for name in single if several and getattr(self, name) is not None]
        unnamed = (self.sequence or self.burst) and self.target is None
        unwritten = self.preview is not None and any(getattr(self, name) for name in single[:3])
        spread = remote or local  # over processes
        unpiped = self.format is not None and (several or self.output != PIPE)
        frames_spread, one_spread = self.sequence and spread, not many and spread
        clashes = {
            "--recipe replaces --method and --effort: leave those two out": recipe and named,
            **{f"--{n.replace('_', '-')} goes with one file: denoise it alone": True for n in lone},
            "--sequence and --burst: give one of them": self.sequence and self.burst,
            "--sequence and --burst need an OUTPUT: name it after the frames": unnamed,
            "--sequence works in one process: leave --workers and --scheduler out": frames_spread,
            "--preview writes no image: leave --second, --save-recipe and --compare out": unwritten,
            "--workers is for a local cluster: leave it or --scheduler out": remote and local,
            "--scheduler and --workers go with a folder or pattern as INPUT": one_spread,
            "many files need a folder as OUTPUT: name one after INPUT": many and nowhere,
            "one folder or pattern at a time": many and not self.sequence and len(self.inputs) > 1,
            "--format goes with - (standard output): a file is named by its suffix": unpiped,
            "--save-recipe does not go with --share-fit: a recipe does not hold the fit that "
            "planes start from; leave one of them out": saves and self.share_fit,
        }
        for message, clash in clashes.items():
            if clash:
                raise OptionError(message)
        self._check_written()

    def _check_written(self) -> None:
        """Refuse to write two files of one name, or the pictures beside a result over an input."""
        from zspot.io import check_target, output_name
        from zspot.io.atomic import check_free

        beside = [os.path.realpath(path) for path in (self.compare, self.save_recipe) if path]
        folder, results = self.target, [self.output] if beside and not self.preview else []
        if len(self.inputs) > 1 and not (self.sequence or self.burst):
            names = [output_name(path, "" if folder else "-denoised") for path in self.inputs]
            results = [folder / name.name if folder else name for name in names]
        made = [*beside, *map(os.path.realpath, results)]
        given = (*self.inputs, self.second, self.mask, self.recipe)
        read = {os.path.realpath(path) for path in given if path}
        for path in made:
            if made.count(path) > 1 or (path in beside and path in read):
                raise OptionError(f"{path} would be written twice, or over an input: name another")
        if self.compare is not None:
            check_target(self.compare, self.overwrite)
        if self.save_recipe is not None:
            check_free(self.save_recipe, self.overwrite)

    @property
    def output(self) -> Path:
        """Where the result goes: beside INPUT if it is not said."""
        from zspot.files.discovery import is_many
        from zspot.io import is_store, output_name

        target = self.target
        if target is None and self.source != PIPE:
            return output_name(self.source, "-denoised")
        if target is None or not target.is_dir() or is_store(target) or is_many(self.source):
            return target or PIPE
        return target / output_name(self.source).name

    @property
    def chosen(self) -> str | Recipe:
        """The recipe in the file, or the name of a method."""
        from zspot.api import DEFAULT_METHOD
        from zspot.recipe import Recipe

        return Recipe.load(self.recipe) if self.recipe else (self.method or DEFAULT_METHOD)

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that `denoise_file` and `denoise_many` have in common."""
        from zspot.files.options import Keywords

        shared = {name: getattr(self, name) for name in (*Keywords.__annotations__, "overwrite")}
        shared["effort"] = (self.effort or Effort.balanced).value
        count = self.neighbours
        return {**shared, "neighbours": int(count) if count.isdecimal() else count}

    @property
    def blending(self) -> str:
        """What is wanted of the result in words, where it is not all."""
        from zspot.files import Options

        return Options(strength=self.strength, keep_detail=self.keep_detail).blending


def denoise(**fields: Any) -> None:
    """Denoise INPUT and write the same kind of file, only cleaner, to OUTPUT or beside INPUT.

    INPUT may be a folder, or a pattern in quotes; OUTPUT is then a folder, and a rerun goes on
    where the last one stopped.
    """
    from zspot.files.discovery import is_many

    asked = Asked(**fields)
    many = is_many(asked.source) and not asked.burst
    asked.check(many)
    if asked.burst:
        _denoise_burst(asked)
    elif many or asked.sequence:
        _denoise_many(asked)
    elif asked.preview is not None:
        _preview(asked, asked.preview)
    elif len(asked.inputs) == 1:
        _denoise_one(asked)
    else:
        _denoise_each(asked)


# what typer reads of a command
denoise.__signature__ = inspect.signature(Asked, eval_str=True)  # type: ignore[attr-defined]
denoise.__annotations__ = get_type_hints(Asked)


def _denoise_each(asked: Asked) -> None:
    """Denoise several files; those that cannot be are told, and the others done."""
    failed = 0
    if asked.target is not None:
        asked.target.mkdir(exist_ok=True)
    for source in asked.inputs:
        try:
            _denoise_one(replace(asked, paths=[source, *filter(None, [asked.target])]))
        except (ZspotError, OSError) as error:
            failed = fail(error_in_words(error), FAILED)
        except KeyboardInterrupt:
            done = f"{asked.inputs.index(source)} of {len(asked.inputs)} files are done"
            raise StoppedError(f"cancelled: {done}") from None
    if failed:
        raise Exit(failed)


def _denoise_one(asked: Asked) -> None:
    import torch

    from zspot.files import denoise_file

    chosen, given = asked.chosen, {**asked.options, "second": asked.second}
    if asked.threads is not None:
        torch.set_num_threads(asked.threads)
    with (
        places(asked.source, asked.output, asked.format) as (source, target),
        progress_bar(asked.source.name, asked.quiet) as report,
    ):
        result, notes = denoise_file(source, target, chosen, progress=report, **given)
    if asked.save_recipe is not None:
        notes += _save(asked.save_recipe, result, asked)
    if result.source is not None:
        result = replace(result, image=result.blend(asked.strength, asked.keep_detail))
    if asked.compare is not None:
        import numpy as np

        from zspot.io import ImageFile, write

        write(asked.compare, ImageFile(np.asarray(result.plot()), "YXS"), overwrite=asked.overwrite)
    if not asked.quiet:
        name = asked.compare if asked.preview else target.name if asked.output == PIPE else target
        _tell_result(f"{name}", result, notes, asked)


def _denoise_burst(asked: Asked) -> None:
    from zspot.files import denoise_burst

    target, given = asked.paths[-1], asked.options
    with progress_bar(target.name, asked.quiet) as report:
        done = denoise_burst(asked.shots, target, asked.chosen, progress=report, **given)
    if not asked.quiet:
        _tell_result(str(target), *done, asked)


def _denoise_many(asked: Asked) -> None:
    """Denoise many files and print what became of them; Exit if a file failed."""
    from zspot.files import denoise_many, denoise_sequence

    done = 0

    def ended(outcome: Outcome) -> None:
        nonlocal done
        if outcome.state == "done":
            done += 1
            if not asked.quiet:
                tell(f"{outcome.item.target}: {outcome.said} ({outcome.seconds:.1f} s)")

    start: Any = partial(denoise_many, scheduler=asked.scheduler, workers=asked.workers)
    out, threads, chosen = asked.output, asked.threads or 1, asked.chosen
    if asked.sequence:
        start, out, threads = denoise_sequence, asked.paths[-1], asked.threads or os.cpu_count()
    options = {**asked.options, "threads": threads, "ended": ended}
    try:
        with progress_bar(asked.source.name, asked.quiet) as report:
            summary = start(asked.shots, out, chosen, progress=report, **options)
    except KeyboardInterrupt:
        left = f"{done} files are done in {out}; the same command goes on from there"
        raise StoppedError(f"cancelled: {left}") from None
    if not asked.quiet:
        _tell_summary(summary, asked.blending)
    failed = [outcome.error for outcome in summary.outcomes if outcome.state == "failed"]
    for error in failed:
        fail(error, FAILED)
    if failed:
        raise Exit(FAILED)


def _tell_summary(summary: Summary, blending: str) -> None:
    """Say each note once, with how many files it is about, and what became of all files."""
    notes: dict[str, list[str]] = {}
    for outcome in summary.outcomes:
        for note in outcome.notes:
            notes.setdefault(note, []).append(outcome.item.name)
    for note, names in notes.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        tell(f"note: {names[0]}{more}: {note}", error=True)
    counts = {
        "were done already": summary.count("skipped"),
        "failed": summary.count("failed"),
        "other files left out": summary.others,
    }
    parts = [f"{summary.count('done')} denoised"]
    parts += [f"{count} {words}" for words, count in counts.items() if count]
    tell(", ".join(filter(None, [*parts, blending])))


def _preview(asked: Asked, window: str) -> None:
    """Denoise a part of the first plane and draw what became of it."""
    from zspot.core.axes import iter_planes
    from zspot.files.file import check_count
    from zspot.files.planes import read_mask
    from zspot.io import check_target, output_name, read, write
    from zspot.io.atomic import temporary_folder

    target = asked.target or output_name(asked.source, "-preview").with_suffix(".png")
    check_target(target, asked.overwrite)
    image = read(asked.source, max_memory=asked.max_memory)
    check_count(asked.axes, asked.source, image.data.shape, image.axes)
    image = replace(image.named(asked.axes), axes=asked.axes or image.axes)
    mask = None if asked.mask is None else read_mask(asked.mask, asked.max_memory)
    sides = tuple(image.data.shape[image.axes.index(side)] for side in "YX")
    if mask is not None and mask.shape != sides:
        raise OptionError(f"mask has shape {mask.shape}: it must be {sides}")
    try:
        part = image.part(next(iter_planes(image.data.shape, image.axes)), window, mask)
    except ValueError:
        what = f"give X,Y,W,H, a part of the {sides[1]} x {sides[0]} pixels"
        raise OptionError(f"--preview {window}: {what}") from None
    if asked.neighbours != "0" and not asked.quiet:
        tell("note: the part is denoised without its neighbours", error=True)
    with temporary_folder("zspot-pipe-") as folder:
        source, made = folder / "part.tif", folder / "denoised.tif"
        write(source, part)
        alone: Any = {"compare": target, "mask": None, "axes": None, "neighbours": "0"}
        _denoise_one(replace(asked, paths=[source, made], **alone))


def _tell_result(name: str, result: Result, notes: tuple[str, ...], asked: Asked) -> None:
    """Say what became of an image in a sentence, what was noted, and where asked for the rest."""
    for note in (*notes, *result.told):
        tell(f"note: {note}", error=True)
    seconds, piped = f"{result.timings['total']:.1f} s on {result.device}", asked.output == PIPE
    how = "; ".join(filter(None, (seconds, asked.blending)))
    tell(f"{name}: {result.summary} ({how})", error=piped)
    if asked.verbose:
        tell(result.reason, error=piped)


def _save(path: Path, result: Result, asked: Asked) -> tuple[str, ...]:
    """Write the recipe that ran and return what it does not hold, as notes."""
    from zspot.io.atomic import atomic_write

    if result.recipe is None:
        raise OptionError(f"no recipe says what ran ({result.reason}): {path} is not written")
    with atomic_write(path, overwrite=asked.overwrite) as handle:
        handle.write(result.recipe.to_toml().encode())
    words = asked.blending
    return (f"{path} does not hold {words}: give them again with --recipe",) if words else ()
