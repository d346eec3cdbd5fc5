"""Folders on Dask when workers, the scheduler or the client are lost, or there is no Dask."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("distributed")

from distributed import Client, LocalCluster

import zspot.files.folder
from tests.folder_help import LONG, RECIPE, command, states, tree, wait_for
from zspot.core.errors import ClusterError
from zspot.files import denoise_file
from zspot.files.folder import denoise_many
from zspot.files.journal import NAME
from zspot.recipe import Fit, Predict, Recipe, UNet


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(folder, scheduler, one_thread):
    """Kill each worker once, in the middle of its first file."""
    killed, begun = [], threading.Lock()

    def kill(progress):
        if progress.done and begun.acquire(blocking=False):  # once, whichever thread is first
            with Client(scheduler, set_as_default=False) as client:
                killed.extend(client.run(os.getpid).values())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    many = folder / "many"
    many.mkdir()
    for i in range(5):
        (many / f"{i}.png").write_bytes((folder / "in/b.png").read_bytes())
    summary = denoise_many(many, folder / "out", LONG, scheduler=scheduler, progress=kill)
    assert len(killed) == 4
    assert set(states(summary).values()) == {"done"}
    denoise_file(many / "0.png", folder / "alone.png", LONG)
    expected = (folder / "alone.png").read_bytes()
    assert tree(folder / "out") == {f"{i}.png": expected for i in range(5)}


def test_a_client_that_leaves_stops_the_workers(folder, scheduler):
    """Leave when the first file is done and a very long one is in work."""
    many = folder / "many"
    many.mkdir()
    (many / "a.png").write_bytes(b"")
    (many / "b.png").write_bytes((folder / "in/b.png").read_bytes())
    endless = Recipe("bsn-ins", network=UNet(width=4), fit=Fit(10**6), predict=Predict(1))
    begun = []

    def progress(p):
        begun.append(p.done)

    def leave(outcome):
        if outcome.item.name == "a.png":
            deadline = time.monotonic() + 60
            while begun[-1] <= 1 and time.monotonic() < deadline:  # a.png counts one byte
                time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise_many(
            many, folder / "out", endless, scheduler=scheduler, progress=progress, ended=leave
        )
    with Client(scheduler, set_as_default=False) as client:
        deadline = time.monotonic() + 60
        while any(client.run(_busy).values()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert [p.name for p in (folder / "out").iterdir()] == [NAME]


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_a_line_and_the_rest_is_done_later(folder, scheduler):
    (folder / "in/bad.png").unlink()
    (folder / "r.toml").write_text(LONG.to_toml())
    place = folder / "scheduler.json"
    dask = [sys.executable, "-m"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    where = ["--scheduler-file", place, "--no-dashboard"]
    with (
        subprocess.Popen(
            [*dask, "distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1", *where],
            **quiet,
        ) as lost,
        subprocess.Popen(
            [*dask, "distributed.cli.dask_worker", "--nthreads", "1", *where], **quiet
        ) as worker,
    ):
        wait_for(place.exists, lost)
        address = json.loads(place.read_text())["address"]
        recipe = ("--recipe", folder / "r.toml", "--scheduler", address)
        run = command(folder / "in", folder / "out", *recipe)
        wait_for(lambda: list((folder / "out").glob("*.png")), run)
        lost.kill()
        _, err = run.communicate()
        worker.kill()
    if run.returncode:  # it may have been done already
        assert run.returncode == 1
        assert err == "zspot: the connection to the Dask scheduler broke; run again to go on\n"
    again = denoise_many(folder / "in", folder / "out", LONG, scheduler=scheduler)
    assert set(states(again).values()) <= {"done", "skipped"}


def test_a_cluster_that_has_no_worker_left_is_a_line(folder, monkeypatch):
    monkeypatch.setattr(zspot.files.folder, "ALONE_SECONDS", 1)
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as alone,
        pytest.raises(ClusterError, match="no worker: start one and run again"),
    ):
        denoise_many(folder / "in", folder / "out", RECIPE, scheduler=alone.scheduler_address)


def _busy(dask_worker) -> bool:
    return bool(dask_worker.active_threads)


def test_no_scheduler_and_no_dask_are_a_line(folder, monkeypatch):
    monkeypatch.setattr(zspot.files.cluster, "CONNECT_SECONDS", 0.2)
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        denoise_many(folder / "in", folder / "out", RECIPE, scheduler="tcp://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r'pip install .*"dask'):
        denoise_many(folder / "in", folder / "out", RECIPE)
