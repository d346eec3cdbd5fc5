"""Writing files and folders so that they are complete or absent; locks; what killed runs left."""

import contextlib
import hashlib
import itertools
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout, has_fcntl, lock_descriptor

from zspot.core.errors import FileError, os_reason

_LOCK, _NEW = ".lock", 60.0  # of a temporary folder; seconds in which it is made and held
_AT_ONCE = 4  # runs that may write one target at a time and be killed, all leaving nothing


def check_plain(path: Path) -> None:
    """Refuse a pipe, socket or device, or a link to one: opening it may wait for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise FileError(f"{path} is not a file but a pipe, socket or device; name a file")


def taken(path: Path) -> FileError:
    """Return the error of a target that exists."""
    return FileError(f"{path} exists; choose another name or pass --overwrite")


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse a target, or what a link names, that exists or whose folder is missing or closed."""
    if path.exists():
        if not overwrite:
            remove_dead(Path(os.path.realpath(path)))  # of a run killed after its last step
            raise taken(path)
        if not path.is_dir():
            check_plain(path)
    if not path.parent.is_dir():
        raise FileError(f"{path}: the folder {path.parent} does not exist; create it first")
    folder = Path(os.path.realpath(path)).parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{path}: the folder {folder} is not writable; choose another one")


@contextlib.contextmanager
def atomic_write(path: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Open a hidden file beside `path` that takes its name when the block ends well."""
    # A symbolic link stays a link. Without `overwrite` a file that appears meanwhile is left alone.
    target = Path(os.path.realpath(path))
    temporary, held = None, None
    try:
        remove_dead(target)
        temporary, handle = _created(target)
        with handle:
            held = os.dup(handle.fileno()) if has_fcntl else None
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        _rename(temporary, target, overwrite=overwrite)
        temporary = None
    except OSError as error:
        raise FileError(f"{path} cannot be written: {os_reason(error)}") from error
    finally:
        # Also after KeyboardInterrupt. After a renaming the name may be that of another run's file.
        with contextlib.suppress(OSError):
            if temporary is not None:
                temporary.unlink()
        if held is not None:
            os.close(held)
    sync_folder(target.parent)


def _names(target: Path) -> Iterator[Path]:
    """Yield the names of the hidden files that become `target`, one for each run at a time."""
    # Long names would overflow the limit of 255 bytes with the prefix and suffix added.
    mark = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]
    for number in itertools.count():
        yield target.with_name(f".{target.name[:40]}.{mark}-{number}.tmp")


def _created(target: Path) -> tuple[Path, BinaryIO]:
    """Create a hidden file and hold it, so that other runs know that it is in use."""
    for path in _names(target):
        with contextlib.suppress(FileExistsError):
            handle = path.open("xb+")  # with the permissions of the user's umask
            if _hold(handle.fileno()) is not False:
                return path, handle
            handle.close()  # another run took it for what a killed one left
    raise AssertionError  # there are more names than runs


def remove_dead(target: Path) -> None:
    """Remove the hidden files of runs that were killed while they wrote `target`."""
    for path in itertools.islice(_names(target), _AT_ONCE):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode):
                with path.open("rb") as handle:
                    if not has_fcntl or _hold(handle.fileno()):
                        path.unlink()


def _hold(descriptor: int) -> bool | None:
    """Hold what is open until it is closed; False if others do or removed it, None if none can."""
    if not has_fcntl:  # on Windows, which keeps files that are open from being removed
        return None
    try:
        held = lock_descriptor(descriptor, blocking=False)
    except OSError:  # the file system has no locks
        return None
    return held and os.fstat(descriptor).st_nlink > 0


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Make a folder that is removed in the end, after those whose makers were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError, FileError):
            if time.time() - path.stat().st_mtime > _NEW:
                with lock(path / _LOCK, "in use"):
                    shutil.rmtree(path, ignore_errors=True)
    made = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    with made as folder, lock(Path(folder, _LOCK), "in use"):
        yield Path(folder)


@contextlib.contextmanager
def lock(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock file, which is removed in the end; a FileError says `busy` if others hold it."""
    held = FileLock(path, timeout=0)
    try:
        held.acquire()
    except Timeout:
        raise FileError(busy) from None
    try:
        yield
    finally:
        # Before the release: who opened it meanwhile sees that it has no name, and begins anew.
        with contextlib.suppress(OSError):
            path.unlink()
        held.release()


def _rename(temporary: Path, target: Path, *, overwrite: bool) -> None:
    if not overwrite:
        try:
            # A hard link fails if the target exists, which a renaming would not.
            os.link(temporary, target)
            temporary.unlink()
            return
        except OSError:  # or the file system has no hard links (FAT, some network shares)
            if target.exists():
                raise taken(target) from None
    temporary.replace(target)


def sync_folder(folder: Path) -> None:
    """Make the renamings in a folder durable, where the system can (Windows cannot)."""
    with contextlib.suppress(OSError):
        sync(folder)


def sync(path: Path) -> None:
    """Bring a file or folder onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
