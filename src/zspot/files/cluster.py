"""Dask, started and stopped: a local cluster of processes, or one that runs already."""

import contextlib
import logging
import multiprocessing
import signal
from collections.abc import Iterator
from typing import Any

from zspot.core.errors import ClusterError, ZspotError, install

CONNECT_SECONDS = 10
START_SECONDS = 120
LOST = "the connection to the Dask scheduler broke; run again to go on"
ALONE = "the Dask cluster has no worker: start one and run again to go on"
_CLOSE_SECONDS = 0.5


@contextlib.contextmanager
def connect(scheduler: str | None, workers: int | None) -> Iterator[Any]:
    """Open a Dask client of the cluster at an address, or of a local one of so many `workers`."""
    try:
        import dask.config
        import distributed
    except ImportError as error:
        raise ClusterError(f"folders need Dask; {install('batch')}") from error
    # A worker holds no data between files, so only the last limit, its end, makes sense.
    memory = {f"distributed.worker.memory.{part}": False for part in ("target", "spill", "pause")}
    quiet = {"distributed.admin.log-format": "%(message)s", "logging.distributed": "critical"}
    with dask.config.set(memory | quiet), _silence():
        opened = _remote(distributed, scheduler) if scheduler else _local(distributed, workers)
        with opened as client:
            try:
                yield client
            except Exception as error:
                # Dask raises what it likes once the scheduler is gone.
                if isinstance(error, ZspotError) or client.status == "running":
                    raise
                raise ClusterError(LOST) from error


@contextlib.contextmanager
def _remote(distributed: Any, scheduler: str) -> Iterator[Any]:
    try:
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        what = f"no Dask scheduler answers at {scheduler}"
        raise ClusterError(f"{what}; start one or leave --scheduler out") from error
    try:
        yield client
    finally:
        # The scheduler forgets the work of a client that leaves; its workers then stop theirs.
        client.close(timeout=_CLOSE_SECONDS)


@contextlib.contextmanager
def _local(distributed: Any, workers: int | None) -> Iterator[Any]:
    before = set(multiprocessing.active_children())
    runner = _loop_without_interrupts(distributed)
    cluster = client = None
    try:
        cluster = distributed.LocalCluster(
            n_workers=0,  # started below: Ctrl-C in here would leave a cluster nobody can close
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # the usual port may be taken
            silence_logs=logging.CRITICAL,
            loop=runner.loop,
        )
        client = distributed.Client(cluster, set_as_default=False)
        cluster.scale(workers)
        try:
            client.wait_for_workers(1, timeout=START_SECONDS)
        except TimeoutError as error:
            what = f"no worker process started within {START_SECONDS} s"
            raise ClusterError(f"{what}; is the machine overloaded?") from error
        yield client
    except BaseException:
        # A worker in the middle of an image would keep a polite end waiting.
        _kill(cluster, before)
        raise
    finally:
        for opened in (client, cluster):
            with contextlib.suppress(Exception):
                if opened is not None:
                    opened.close(timeout=_CLOSE_SECONDS)
        runner.stop(timeout=_CLOSE_SECONDS)


def _loop_without_interrupts(distributed: Any) -> Any:
    """Start the thread that starts the workers; they inherit from it that Ctrl-C is not theirs."""
    runner = distributed.utils.LoopRunner()
    mask = getattr(signal, "pthread_sigmask", None)  # Windows has none
    old = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask else None
    try:
        runner.start()
    finally:
        if mask:
            mask(signal.SIG_SETMASK, old)
    return runner


def _kill(cluster: Any, before: set[Any]) -> None:
    if cluster is not None:
        cluster.shutdown_on_close = False  # Dask would try again when Python exits
        for nanny in cluster.workers.values():
            nanny.auto_restart = False
    for process in set(multiprocessing.active_children()) - before:
        process.kill()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the log lines of a cluster that is being stopped from the user's terminal."""
    names = ("distributed", "distributed.client", "tornado", "asyncio")
    with contextlib.ExitStack() as undo:
        for logger in map(logging.getLogger, names):
            undo.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
        yield
