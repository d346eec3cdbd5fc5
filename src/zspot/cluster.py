"""Dask, started and stopped: a local cluster of processes, or one that runs already."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from typing import Any

CONNECT_SECONDS = 10
_CLOSE_SECONDS = 0.5


class ClusterError(RuntimeError):
    """There is no cluster to work on; the message says what to do."""


@contextlib.contextmanager
def connect(scheduler: str | None, workers: int | None) -> Iterator[Any]:
    """Open a Dask client.

    Parameters
    ----------
    scheduler : str or None
        Address of a running cluster, such as "tcp://10.0.0.1:8786"; None starts a local one with
        a process of one thread for each worker.
    workers : int or None
        Processes of the local cluster; not used with a scheduler.

    Yields
    ------
    distributed.Client

    Raises
    ------
    ClusterError
        If Dask is not installed, or the cluster does not answer.
    """
    try:
        import dask
        import distributed
    except ImportError as error:
        raise ClusterError('folders need Dask; run: pip install "zspot[batch]"') from error
    # A worker holds no data between files, so only the last limit, its end, makes sense.
    memory = {f"distributed.worker.memory.{part}": False for part in ("target", "spill", "pause")}
    quiet = {"distributed.admin.log-format": "%(message)s", "logging.distributed": "critical"}
    with dask.config.set(memory | quiet):
        for name in ("distributed", "distributed.nanny", "distributed.worker"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        opened = _remote(distributed, scheduler) if scheduler else _local(distributed, workers)
        with opened as client:
            yield client


@contextlib.contextmanager
def _remote(distributed: Any, scheduler: str) -> Iterator[Any]:
    try:
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {scheduler}; start one or leave --scheduler out"
        ) from error
    try:
        yield client
    finally:
        # The scheduler forgets the work of a client that leaves; its workers then stop theirs.
        client.close(timeout=_CLOSE_SECONDS)


@contextlib.contextmanager
def _local(distributed: Any, workers: int | None) -> Iterator[Any]:
    cluster = distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )
    client = distributed.Client(cluster, set_as_default=False)
    try:
        yield client
    except BaseException:
        # A worker in the middle of an image would keep a polite end waiting.
        _kill(cluster)
        raise
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=_CLOSE_SECONDS)
            cluster.close(timeout=_CLOSE_SECONDS)


def _kill(cluster: Any) -> None:
    """End the worker processes of a local cluster at once."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        if nanny.pid:
            with contextlib.suppress(OSError):
                os.kill(nanny.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
