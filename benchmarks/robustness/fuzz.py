"""Damaged files of every format against the readers and writers: what happens to the program.

    python -m benchmarks.robustness.fuzz --count 20000 --out results/fuzz.csv
    python -m benchmarks.robustness.fuzz --table results/fuzz.csv > docs/results/fuzz.csv

Input number n is made from seed n alone, so a rerun goes on where the last one stopped and every
finding can be made again (`--only n`). Each input is read, and written back if it can be read, in a
process of its own kind: no more than 1 GiB of further address space, killed after 20 s. Recipes,
journals and weights are loaded. A quarter of the inputs is torn: a part is lost or zero.

Outcomes: read; told (read, with a note that the valid file does not have); silent (torn, and read
as another picture without a note, though it could be told: a part is lost, or zero where no coding
makes zeros); refused (one line, as promised); traceback (any exception but the promised ones); long
(a message of more than one line); over (more than 10 s or 1 GiB); crash (the process died); hang
(killed by the clock).
"""

from __future__ import annotations

import collections
import csv
import hashlib
import importlib
import multiprocessing
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.metrics import peak_mib, restart_peak
from benchmarks.robustness import arguments, done
from benchmarks.robustness.seeds import mutate, seeds, tear
from zspot.core.errors import ZspotError
from zspot.files import Options, PlaneRunner
from zspot.files.journal import NAME, Journal
from zspot.files.store import denoise_store
from zspot.io import is_store, open_stack, read, write
from zspot.io.open import FORMATS
from zspot.networks.pretrained import load
from zspot.recipe import Recipe

SECONDS, MOST_SECONDS, MOST_MIB = 20, 10, 1024
ROOM, TORN = 2**30, 0.25
LONGEST = 1000  # characters of a message
MOST_PLANES = 64
OUTCOMES = (
    *("read", "told", "silent", "refused", "traceback", "long", "over", "crash", "hang"),
)  # fmt: skip
# Whose decoders should tell zeros, and those whose bytes cannot: they are values like others.
_PLAIN = (".npy", ".bmp", ".fits", ".dcm", ".dng", ".czi", ".nd2", ".toml", ".jsonl")
_PLAIN_TIFFS = (
    "plain.tif",
    "rgba.tif",
    "big.tif",
    "float.tif",
    "imagej.tif",
    "set.ome.tif",
    "packbits.tif",
)
FIELDS = ("number", "format", "outcome", "seconds", "peak_mib", "message")


def make(number: int, valid: dict, folder: Path) -> tuple[Path, bool]:
    """Write input `number` into a folder; return its path, and whether it is torn so as to tell."""
    rng = np.random.default_rng([20261124, number])
    names = list(valid)
    name = names[number % len(names)]
    others = [content for files in valid.values() for content in files.values()]
    torn = rng.random() < TORN
    if torn:
        files = dict(valid[name])
        inner = max(files, key=lambda key: len(files[key]))
        files[inner], zeros = tear(files[inner], rng)
        torn = not (zeros and (name.endswith(_PLAIN) or name in _PLAIN_TIFFS))
    else:
        files = mutate(valid[name], others, rng)
    target = folder / name
    if not torn and rng.random() < 0.03 and "" in files:  # mislabelled
        target = folder / f"as{Path(names[int(rng.integers(len(names)))]).suffix}"
    if target.suffix == ".zarr" and "" not in files:
        for inner, content in files.items():
            (target / inner).parent.mkdir(parents=True, exist_ok=True)
            (target / inner).write_bytes(content)
    else:
        target.write_bytes(files[""])
    return target, torn


class Unchanged(PlaneRunner):
    """Stands for the denoiser: every plane comes back as it is, and is remembered."""

    def __init__(self) -> None:
        super().__init__(Options())
        self.digest = hashlib.sha256()

    def __call__(self, plane: np.ndarray, *_: object, **__: object) -> np.ndarray:
        self.digest.update(repr(plane.shape).encode() + np.ascontiguousarray(plane).tobytes())
        return plane


Seen = tuple[str, tuple[str, ...]]  # what tells pixels from others, and the notes


def through(path: Path, folder: Path) -> Seen:
    """Read a file and write it back, as `zspot denoise` does."""
    seen = Unchanged()
    if path.suffix in LOADED:
        LOADED[path.suffix](path)
        return "", ()
    if is_store(path):
        notes = denoise_store(path, folder / "out.zarr", seen, overwrite=False)
        return seen.digest.hexdigest(), notes
    with open_stack(path, folder / "out.tif") as stack:
        if stack is not None:
            if len(stack) <= MOST_PLANES:
                planes = (seen(stack.read(n)) for n in range(len(stack)))
                stack.write(folder / "out.tif", planes, overwrite=False)
            else:
                seen(stack.read(len(stack) - 1))
            return seen.digest.hexdigest(), stack.notes
    image = read(path)
    seen(image.data)
    write(folder / f"out{'.tif' if image.format == 'raw' else path.suffix}", image)
    return seen.digest.hexdigest(), image.notes


def _journal(path: Path) -> None:
    place = path.with_name("journal")
    place.mkdir()
    path.rename(place / NAME)
    with Journal(place):
        pass


LOADED: dict[str, Callable[[Path], object]] = {
    ".toml": Recipe.load,
    ".jsonl": _journal,
    ".safetensors": lambda path: load(str(path)),
}


def judge(path: Path, folder: Path, valid: Seen, torn: bool) -> tuple[str, str]:
    """Return the outcome of one input and its message."""
    try:
        digest, notes = through(path, folder)
    except ZspotError as error:
        text = str(error)
        return ("refused" if "\n" not in text and len(text) < LONGEST else "long"), text
    except BaseException:
        return "traceback", traceback.format_exc()
    new = [note for note in notes if note not in valid[1]]
    if new:
        return "told", new[0]
    return ("silent" if torn and digest != valid[0] else "read"), ""


def baseline(valid: dict) -> dict[str, Seen]:
    """Read each seed as it is."""
    found = {}
    for name, files in valid.items():
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            path = Path(folder, name)
            for inner, content in files.items():
                (path / inner).parent.mkdir(parents=True, exist_ok=True)
                (path / inner if inner else path).write_bytes(content)
            try:
                found[name] = through(path, Path(folder))
            except ZspotError:
                found[name] = "", ()
    return found


def child(pipe: Connection, valid: dict, room: int) -> None:
    """Work on the numbers that come through the pipe."""
    warnings.simplefilter("ignore")
    known = baseline(valid)  # here: threads of decoders do not outlive a fork
    used = int(2**20 * (peak_mib("VmSize") or 0.0))
    resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    while (number := pipe.recv()) is not None:
        with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="zspot-fuzz-") as folder:
            path, torn = make(number, valid, Path(folder))
            known_seed = known[list(valid)[number % len(valid)]]
            restart_peak()
            started, before = time.perf_counter(), peak_mib("VmRSS") or 0.0
            signal.alarm(SECONDS)
            outcome, message = judge(path, Path(folder), known_seed, torn)
            signal.alarm(0)
            seconds = time.perf_counter() - started
            peak = max(0.0, (peak_mib() or 0.0) - before)
            message = message.replace(folder, "")
            if outcome in ("read", "told", "refused") and (
                seconds > MOST_SECONDS or peak > MOST_MIB
            ):
                outcome = "over"
        pipe.send((outcome, round(seconds, 3), round(peak, 1), message))


def preload() -> None:
    """Import what the readers need, so that no child's clock or memory counts it."""
    packages = ("bioio", "bioio_czi", "bioio_nd2", "rawpy", "astropy.io.fits", "pydicom", "OpenEXR")
    rooms = (kind.module for kind in FORMATS.values())
    for name in (*packages, "zarr", *(f"zspot.io.{room}" for room in rooms)):
        importlib.import_module(name)


class Child:
    """A forked process that is replaced when it dies."""

    def __init__(self, valid: dict, room: int) -> None:
        self._context = multiprocessing.get_context("fork")
        self._given = valid, room
        self._start()

    def _start(self) -> None:
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(target=child, args=(other, *self._given), daemon=True)
        self._process.start()
        other.close()

    def judge(self, number: int) -> tuple[str, float, float, str]:
        """Return outcome, seconds, MiB and message of one input."""
        started = time.perf_counter()
        self._pipe.send(number)
        try:
            if self._pipe.poll(2 * SECONDS):
                return self._pipe.recv()
        except (EOFError, ConnectionResetError):
            pass
        seconds = round(time.perf_counter() - started, 3)
        self._process.join(1)
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        self._start()
        for folder in Path("/dev/shm").glob("zspot-fuzz-*"):
            shutil.rmtree(folder, ignore_errors=True)
        hung = code is None or code == -signal.SIGALRM
        return ("hang" if hung else "crash"), seconds, 0.0, f"exit code {code}"

    def end(self) -> None:
        """Stop the process."""
        self._pipe.send(None)
        self._process.join()


def run(count: int, out: Path, room: int) -> None:
    """Judge inputs up to `count` and append a row for each."""
    preload()
    valid = seeds()
    out.parent.mkdir(parents=True, exist_ok=True)
    first = done(out)
    with out.open("a", newline="") as handle:
        rows = csv.writer(handle)
        if not first:
            rows.writerow(FIELDS)
        worker = Child(valid, room)
        started = time.perf_counter()
        names = list(valid)
        for number in range(first, count):
            outcome, seconds, peak, message = worker.judge(number)
            keep = message.splitlines()[-1] if message else ""
            rows.writerow((number, names[number % len(names)], outcome, seconds, peak, keep[:300]))
            handle.flush()
            if number % 500 == 499:
                rate = (number + 1 - first) / (time.perf_counter() - started)
                print(f"{number + 1} inputs, {(count - number) / rate / 60:.0f} min left")
        worker.end()


def table(path: Path) -> str:
    """Return the counts of each format and outcome as CSV."""
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    lines = [f"seed,inputs,{','.join(OUTCOMES)},longest s,most MiB"]
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["format"], []).append(row)
    for name, group in [*sorted(groups.items()), ("all", rows)]:
        counts = collections.Counter(row["outcome"] for row in group)
        numbers = ",".join(str(counts[outcome]) for outcome in OUTCOMES)
        longest = max(float(row["seconds"]) for row in group)
        most = max(float(row["peak_mib"]) for row in group)
        lines.append(f"{name},{len(group)},{numbers},{longest:.2f},{most:.0f}")
    return "\n".join(lines)


def show(number: int, room: int) -> None:
    """Judge one input again and print everything."""
    preload()
    valid = seeds()
    worker = Child(valid, room)
    print(*worker.judge(number), sep="\n")
    worker.end()


def main() -> None:
    given = arguments(__doc__, 20_000, "results/fuzz.csv")
    if given.table:
        print(table(given.table))
    elif given.only is not None:
        show(given.only, ROOM)
    else:
        run(given.count, given.out, ROOM)


if __name__ == "__main__":
    main()
