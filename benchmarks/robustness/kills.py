"""Runs killed during writes: what is lost, what is left, and whether the same command goes on.

    python -m benchmarks.robustness.kills --count 200 --out results/kills.csv
    python -m benchmarks.robustness.kills --table results/kills.csv

Trial number n is drawn from seed n alone, so a rerun goes on where the last one stopped and every
finding can be made again (`--only n`). A run of one file, a stack, a folder or a Zarr folder, half
of them with `--overwrite` over something precious, is killed by SIGKILL with all its processes: at
a step of its own files (opened, made durable, renamed, removed), or some time after the first.

Held against it: the target is as before or whole; the same command ends well, in the bytes of a run
that nobody killed; no other file is there at the end.
"""

from __future__ import annotations

import collections
import csv
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.robustness import arguments, done

FIELDS: tuple[str, ...] = (
    "number",
    "kind",
    "overwrite",
    "at",
    "killed",
    "target",
    "resumed",
    "left",
    "said",
)
KINDS = {"single": "a.npy", "stack": "a.tif", "store": "a.zarr", "folder": "in"}
RECIPE = """method = "bsn-ins"
[network]
kind = "unet"
width = 4
[fit]
steps = 2
[predict]
passes = 2
"""
STEPS = {"single": 6, "stack": 6, "store": 70, "folder": 14}  # about as many as a run takes
PRECIOUS = b"precious"
WATCH = """
import os, signal, sys, threading

def watch():
    place, step, delay = os.environ["KILL_IN"], int(os.environ["KILL_AT"]), os.environ["KILL_AFTER"]
    begun = []

    def kill(*_):
        os.killpg(0, signal.SIGKILL)

    def count():
        begun.append(1)
        if len(begun) == 1 and delay:
            threading.Timer(float(delay), kill).start()
        if len(begun) == step and not delay:
            kill()

    def hook(event, arguments):
        if event in ("open", "os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir"):
            mode = arguments[1] if event == "open" else "w"
            writes = mode is None or any(letter in str(mode) for letter in "wxa+")
            if writes and str(arguments[0]).startswith(place):
                count()

    fsync = os.fsync
    os.fsync = lambda descriptor: (count(), fsync(descriptor))[1]
    sys.addaudithook(hook)

if os.environ.get("KILL_IN"):
    watch()
"""


def make(folder: Path) -> None:
    """Write the inputs, the recipe and what kills."""
    rng = np.random.default_rng(0)

    def noise(*shape: int) -> np.ndarray:
        return rng.integers(0, 4000, shape).astype(np.uint16)

    import zarr

    np.save(folder / "a.npy", noise(64, 64))
    tifffile.imwrite(folder / "a.tif", noise(4, 48, 48), photometric="minisblack")
    zarr.create_array(folder / "a.zarr", data=noise(3, 32, 32), chunks=(1, 16, 32))
    (folder / "in").mkdir()
    for number in range(3):
        np.save(folder / "in" / f"{number}.npy", noise(40, 40))
    (folder / "r.toml").write_text(RECIPE)
    (folder / "watch").mkdir()
    (folder / "watch" / "sitecustomize.py").write_text(WATCH)


def tree(path: Path) -> dict[str, bytes]:
    """Return the content of what lies there, but for journals, which hold times."""
    if path.is_file():
        return {"": path.read_bytes()}
    files = (p for p in path.rglob("*") if p.is_file() and p.name != "zspot-journal.jsonl")
    return {str(p.relative_to(path)): p.read_bytes() for p in files}


def run(folder: Path, kind: str, out: Path, overwrite: bool, **kill: str) -> tuple[int, str]:
    """Run the command line in a session of its own; return its exit code and last line."""
    command = [sys.executable, "-m", "zspot", "denoise", KINDS[kind], str(out), "--quiet"]
    command += ["--recipe", "r.toml", *(["--workers", "2"] if kind == "folder" else [])]
    command += ["--overwrite"] if overwrite else []
    places = [str(folder / "watch"), *sys.path]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run(
        command, cwd=folder, env={**environment, **kill}, capture_output=True, text=True,
        start_new_session=True, check=False,
    )  # fmt: skip
    return done.returncode, (done.stderr.strip().splitlines() or [""])[-1]


def trial(number: int, folder: Path, whole: dict[str, dict[str, bytes]]) -> dict[str, object]:
    """Kill one run and go on."""
    rng = np.random.default_rng([20261128, number])
    kind = list(KINDS)[number % len(KINDS)]
    overwrite = bool(rng.integers(2)) and kind != "folder"
    place = folder / f"trial-{number}"
    place.mkdir()
    out = place / f"b{Path(KINDS[kind]).suffix}"
    if overwrite and kind == "store":
        out.mkdir()
        (out / "old").write_bytes(PRECIOUS)
    elif overwrite:
        out.write_bytes(PRECIOUS)
    before = tree(out)
    delay = f"{rng.uniform(0, 1.5):.2f}" if rng.random() < 0.3 else ""
    step = int(rng.integers(1, STEPS[kind] + 1))
    kill = {"KILL_IN": str(place), "KILL_AT": str(step), "KILL_AFTER": delay}
    code, _ = run(folder, kind, out, overwrite, **kill)
    state = after_kill(tree(out), before, whole[kind], place)
    code_2, said = run(folder, kind, out, overwrite)
    done_before = code_2 == 2 and "exists" in said and not overwrite and state == "whole"
    left = sorted(p.name for p in place.rglob(".*")) + [p.name for p in place.iterdir() if p != out]
    return {
        "number": number, "kind": kind, "overwrite": overwrite, "at": delay or step,
        "killed": code == -signal.SIGKILL, "target": state,
        "resumed": (code_2 == 0 or done_before) and tree(out) == whole[kind],
        "left": " ".join(left), "said": said,
    }  # fmt: skip


def after_kill(
    found: dict[str, bytes], before: dict[str, bytes], whole: dict[str, bytes], place: Path
) -> str:
    """Say what a kill left under the target's name."""
    if found == whole:
        return "whole"
    if found == before:
        return "as before"
    if all(whole.get(name) == content for name, content in found.items() if name[:1] != "."):
        return "some files, whole" if found else "nothing yet"
    kept = [tree(path) for path in place.glob(".*/old")]
    return "set aside" if before in kept else "LOST"


def trials(numbers: range | list[int], out: Path) -> None:
    """Do trials and append a row for each."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = not out.exists()
    with tempfile.TemporaryDirectory(prefix="zspot-kills-") as name, out.open("a") as handle:
        folder = Path(name)
        make(folder)
        whole = {}
        for kind, source in KINDS.items():
            target = folder / f"whole-{kind}{Path(source).suffix}"
            code, said = run(folder, kind, target, False)
            assert code == 0, said
            whole[kind] = tree(target)
        rows = csv.DictWriter(handle, FIELDS)
        if fresh:
            rows.writeheader()
        for number in numbers:
            rows.writerow(trial(number, folder, whole))
            handle.flush()


def table(path: Path) -> str:
    """Return the counts of each kind as a Markdown table."""
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    states = sorted({row["target"] for row in rows})
    lines = [f"| kind | runs | killed | {' | '.join(states)} | gone on | left something |"]
    lines.append(f"|---|{'---:|' * (len(states) + 4)}")
    groups = {kind: [row for row in rows if row["kind"] == kind] for kind in KINDS}
    for name, group in {**groups, "all": rows}.items():
        found = collections.Counter(row["target"] for row in group)
        killed, resumed = (
            sum(row[key] == "True" for row in group) for key in ("killed", "resumed")
        )
        left = sum(bool(row["left"]) for row in group)
        counts = [len(group), killed, *(found[state] for state in states), resumed, left]
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def main() -> None:
    given = arguments(__doc__, 200, "results/kills.csv")
    if given.table:
        print(table(given.table))
        return
    first = done(given.out)
    trials(range(first, given.count) if given.only is None else [given.only], given.out)


if __name__ == "__main__":
    main()
