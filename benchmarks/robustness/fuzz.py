"""Damaged files of every format against the readers and writers: what happens to the program.

    python -m benchmarks.robustness.fuzz --count 20000 --out results/fuzz.csv
    python -m benchmarks.robustness.fuzz --table results/fuzz.csv

Input number n is made from seed n alone, so a rerun goes on where the last one stopped and every
finding can be made again (`--only n`). Each input is read, and written back if it can be read, in a
process of its own kind: no more than 1 GiB of further address space, killed after 20 s.

Outcomes: read; refused (one line, as promised); traceback (any exception but the promised ones);
long (a message of more than one line); crash (the process died); hang (killed by the clock).
"""

from __future__ import annotations

import collections
import csv
import multiprocessing
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.metrics import peak_mib, restart_peak
from benchmarks.robustness import arguments, done
from benchmarks.robustness.seeds import mutate, seeds
from zspot.files import Options, PlaneRunner

SECONDS = 20
ROOM = 2**30
LONGEST = 1000  # characters of a message
MOST_PLANES = 64
FIELDS = ("number", "format", "outcome", "seconds", "peak_mib", "message")


def make(number: int, valid: dict, folder: Path) -> tuple[Path, str]:
    """Write input `number` into a folder; return its path and the name of its seed."""
    rng = np.random.default_rng([20261124, number])
    names = list(valid)
    name = names[number % len(names)]
    others = [content for files in valid.values() for content in files.values()]
    files = mutate(valid[name], others, rng)
    target = folder / name
    if rng.random() < 0.03 and "" in files:  # mislabelled
        target = folder / f"as{Path(names[int(rng.integers(len(names)))]).suffix}"
    if target.suffix == ".zarr" and "" not in files:
        for inner, content in files.items():
            (target / inner).parent.mkdir(parents=True, exist_ok=True)
            (target / inner).write_bytes(content)
    else:
        target.write_bytes(files[""])
    return target, name


class Unchanged(PlaneRunner):
    """Stands for the denoiser: every plane comes back as it is."""

    def __call__(self, plane: np.ndarray, *_: object, **__: object) -> np.ndarray:
        return plane


def through(path: Path, folder: Path) -> None:
    """Read a file and write it back, as `zspot denoise` does."""
    from zspot.files.store import denoise_store
    from zspot.io import is_store, open_stack, read, write

    if is_store(path):
        denoise_store(path, folder / "out.zarr", Unchanged(Options()), axes=None, overwrite=False)
        return
    with open_stack(path, folder / "out.tif") as stack:
        if stack is not None:
            if len(stack) <= MOST_PLANES:
                planes = (stack.read(n) for n in range(len(stack)))
                stack.write(folder / "out.tif", planes, overwrite=False)
            else:
                stack.read(len(stack) - 1)
            return
    image = read(path)
    write(folder / f"out{'.tif' if image.format == 'raw' else path.suffix}", image)


def judge(path: Path, folder: Path) -> tuple[str, str]:
    """Return the outcome of one input and its message."""
    from zspot.core.errors import FileError

    try:
        through(path, folder)
    except FileError as error:
        text = str(error)
        return ("refused" if "\n" not in text and len(text) < LONGEST else "long"), text
    except BaseException:
        return "traceback", traceback.format_exc()
    return "read", ""


def child(pipe: Connection, valid: dict, room: int) -> None:
    """Work on the numbers that come through the pipe."""
    warnings.simplefilter("ignore")
    used = int(2**20 * (peak_mib("VmSize") or 0.0))
    resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    while (number := pipe.recv()) is not None:
        with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="zspot-fuzz-") as folder:
            path, _ = make(number, valid, Path(folder))
            restart_peak()
            started, before = time.perf_counter(), peak_mib("VmRSS") or 0.0
            signal.alarm(SECONDS)
            outcome, message = judge(path, Path(folder))
            signal.alarm(0)
            seconds = time.perf_counter() - started
            peak = max(0.0, (peak_mib() or 0.0) - before)
            message = message.replace(folder, "")
        pipe.send((outcome, round(seconds, 3), round(peak, 1), message))


def preload() -> None:
    """Import what the readers need, so that no child's clock or memory counts it."""
    import bioio
    import bioio_czi
    import bioio_nd2  # noqa: F401
    import rawpy  # noqa: F401

    import zspot.files.store  # noqa: F401
    from zspot.io import bmp, jpeg, npy, png, raw, tiff, webp  # noqa: F401

    assert bioio
    assert bioio_czi


class Child:
    """A forked process that is replaced when it dies."""

    def __init__(self, valid: dict, room: int) -> None:
        self._context = multiprocessing.get_context("fork")
        self._valid, self._room = valid, room
        self._start()

    def _start(self) -> None:
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(
            target=child, args=(other, self._valid, self._room), daemon=True
        )
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
    """Return the counts of each format and outcome as a Markdown table."""
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    outcomes = ("read", "refused", "traceback", "long", "crash", "hang")
    lines = [
        f"| seed | inputs | {' | '.join(outcomes)} | longest s | most MiB |",
        f"|---|{'---:|' * (len(outcomes) + 3)}",
    ]
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["format"], []).append(row)
    for name, group in [*sorted(groups.items()), ("all", rows)]:
        counts = collections.Counter(row["outcome"] for row in group)
        numbers = " | ".join(str(counts[outcome]) for outcome in outcomes)
        longest = max(float(row["seconds"]) for row in group)
        most = max(float(row["peak_mib"]) for row in group)
        lines.append(f"| {name} | {len(group)} | {numbers} | {longest:.2f} | {most:.0f} |")
    return "\n".join(lines)


def show(number: int, room: int) -> None:
    """Judge one input again and print everything."""
    preload()
    worker = Child(seeds(), room)
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
