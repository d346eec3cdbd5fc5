"""The benchmark runner as a researcher uses it: resumable runs, bad images, bad use, Dask."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import datasets, runner, store, studies, tables, worker
from benchmarks.metrics import BenchmarkError
from benchmarks.runner import Watch
from benchmarks.variants import Variant, parse_list
from tests.bench_help import ROOT, bench, quality_of, sets

__all__ = ["sets"]


def command(sets: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "benchmarks", "run", "--suite", "tiny", "--data", str(sets),
        "--out", str(out), "--methods", "noisy,auto:fast", *more,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    paths = [str(ROOT / "src"), str(ROOT)]
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}


def count(out: Path) -> int:
    try:
        return len(store.read_rows(out))
    except BenchmarkError:
        return 0


@pytest.mark.slow
def test_a_run_killed_twice_and_resumed_gives_the_same_table(sets, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    quiet = {"env": environment(), "cwd": ROOT, "stderr": subprocess.DEVNULL}
    before: list[str] = []
    for wanted in (3, 6):
        process = subprocess.Popen(command(sets, broken), start_new_session=True, **quiet)
        while count(broken) < wanted and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        rows = store.read_rows(broken)
        assert wanted <= len(rows) < 12, "the kill must come in the middle"
        assert set(before) <= set(rows["started"]), "a row was made again"
        before = list(rows["started"])
    subprocess.run(command(sets, broken), check=True, **quiet)
    kept = store.Store(whole)
    tasks, _ = runner.plan(sets, studies.suite("tiny"), parse_list("noisy,auto:fast"))
    for task in tasks:
        outcome = worker.work(task)
        kept.add(outcome.row, outcome.image, outcome.recipe)
    kept.close()
    assert set(before) <= set(store.read_rows(broken)["started"])
    pd.testing.assert_frame_equal(quality_of(broken), quality_of(whole))
    shown = [
        tables.means(store.read_rows(out), "float", every=False).drop(columns="seconds")
        for out in (broken, whole)
    ]
    pd.testing.assert_frame_equal(*shown)
    assert list(shown[0]["n"]) == [6, 6]
    for path in (broken / "outputs").glob("[!.]*"):  # whole, though a kill may leave a .tmp
        assert path.stem == store.digest(path.read_bytes())


@pytest.mark.slow
def test_a_worker_that_is_killed_is_a_row_with_its_error(sets, tmp_path):
    psutil = pytest.importorskip("psutil")
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(sets, out), env=environment(), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    while count(out) < 2 and process.poll() is None:
        time.sleep(0.02)
    for child in psutil.Process(process.pid).children(recursive=True):
        if "multiprocessing.spawn" in " ".join(child.cmdline()):
            child.kill()
    _, err = process.communicate()
    rows = store.read_rows(out)
    assert len(rows) == 12
    failed = rows[rows["error"].notna()]
    assert len(failed) == 1
    assert "signal 9" in failed["error"].iloc[0]
    assert process.returncode == 2
    assert "1 of 12 rows are errors" in err


@pytest.mark.slow
def test_ctrl_c_stops_at_once_and_keeps_the_rows(sets, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(sets, out), env=environment(), cwd=ROOT, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        # A background job inherits an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while count(out) < 2 and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "cancelled: the rows made so far are kept" in err
    assert "Traceback" not in err
    assert 2 <= count(out) < 12


def test_a_bad_image_is_a_row_and_can_be_retried(sets, tmp_path, capsys):
    bad = sets / "tiny/noisy/2.png"
    good = bad.read_bytes()
    bad.write_bytes(b"not a picture")
    out = tmp_path / "out"
    options = ("run", "--suite", "tiny", "--data", sets, "--out", out, "--methods", "noisy")
    code, _, err = bench(capsys, *options)
    assert code == 2
    assert "1 of 6 rows are errors" in err
    rows = store.read_rows(out).set_index("image")
    assert rows["error"].notna().to_dict() == {str(k): k == 2 for k in range(6)}
    assert rows["psnr"].notna().sum() == 5
    bad.write_bytes(good)
    assert "0 of 6 rows to make" in bench(capsys, *options)[2]  # an error is not run again ...
    code, _, err = bench(capsys, *options, "--retry-errors", "--quiet")  # ... unless asked
    assert (code, "1 of 6 rows to make" in err) == (0, True)
    assert store.read_rows(out)["error"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--suite", "kodak24+white:25"), "https://r0k.us/graphics/kodak"),
        (("--suite", "kodak24+white:25,tiny", "--methods", "magic"), "'magic' is not registered"),
        (("--suite", "tiny", "--methods", "auto:slow"), "'slow': choose one of fast"),
        (("--suite", "tiny+grey:3"), "choose one of white"),
        (("--suite", "tiny+white"), "white needs 1 positive number"),
        (("--suite", "nowhere"), "neither a folder"),
        (("--suite", "tiny", "--jobs", "2", "--scheduler", "tcp://a:1"), "exclude each other"),
    ],
)
def test_bad_use_is_one_line(sets, tmp_path, capsys, arguments, said):
    code, out, err = bench(capsys, "run", "--data", sets, "--out", tmp_path / "o", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_missing_sets_can_be_left_out(sets, tmp_path, capsys):
    options = ("--data", sets, "--out", tmp_path / "o", "--methods", "noisy", "--limit", 1)
    code, _, err = bench(
        capsys, "run", "--suite", "set12+white:25,tiny", *options, "--skip-missing"
    )
    assert code == 0
    assert "left out: Set12" in err
    assert count(tmp_path / "o") == 1


def test_time_left_follows_the_methods(sets):
    entry = datasets.Entry("tiny")
    tasks = [
        worker.Task(sets, entry, str(k), Variant(m, "fast"))
        for k in range(3)
        for m in ("auto", "dip")
    ]
    watch = Watch(tasks, jobs=2, quiet=True)
    assert watch.seconds_left() is None
    watch.finished(tasks[0], {"seconds": 1.0})
    watch.finished(tasks[1], {"seconds": 100.0})
    assert watch.seconds_left() == pytest.approx((2 * 1 + 2 * 100) / 2)
    watch.running({tasks[3]: 0.5})
    assert watch.seconds_left() == pytest.approx((2 * 1 + 1.5 * 100) / 2)


# --- Dask ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_dask_makes_the_same_rows(sets, tmp_path):
    distributed = pytest.importorskip("distributed")
    methods = parse_list("noisy,auto:fast")
    tasks, _ = runner.plan(sets, studies.Suite(("tiny",), limit=2), methods)
    outs = tmp_path / "dask", tmp_path / "local"
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:
        for out, scheduler in zip(outs, (cluster.scheduler_address, None), strict=True):
            kept = store.Store(out)
            assert runner.run(tasks, kept, Watch(tasks, 1, quiet=True), scheduler=scheduler) == 0
            kept.close()
    pd.testing.assert_frame_equal(*(quality_of(out) for out in outs))
    kept = store.Store(tmp_path / "none")
    with pytest.raises(BenchmarkError, match="no Dask scheduler answers"):
        runner.run(tasks, kept, Watch(tasks, 1, quiet=True), scheduler="tcp://127.0.0.1:1")
