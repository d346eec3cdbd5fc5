"""Writing a file so that it is complete or absent, in one place for all formats."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zspot.core.errors import FileError

_REASONS = {
    errno.ENOSPC: "the disk is full; make room and try again",
    errno.EDQUOT: "the disk quota is used up; make room and try again",
    errno.EFBIG: "the file is too large for this file system",
    errno.EACCES: "no permission; choose another folder or change its permissions",
    errno.EPERM: "no permission; choose another folder or change its permissions",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOENT: "no such file or folder; check the name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EISDIR: "this is a folder; name a file",
}


def os_reason(error: OSError) -> str:
    """Say in words why the system refused, and what to do."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error) or type(error).__name__)


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse a target that exists, or whose folder is missing or not writable.

    A link counts as what it names.
    """
    if path.exists() and not overwrite:
        raise FileError(f"{path} exists; choose another name or pass --overwrite")
    if not path.parent.is_dir():
        raise FileError(f"{path}: the folder {path.parent} does not exist; create it first")
    folder = Path(os.path.realpath(path)).parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{path}: the folder {folder} is not writable; choose another one")


@contextlib.contextmanager
def atomic_write(path: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Open a hidden file beside `path` that takes its name when the block ends well.

    A symbolic link stays a link. Without `overwrite` a file that appears meanwhile is left alone.
    """
    target = Path(os.path.realpath(path))
    # Long names would overflow the limit of 255 bytes with the prefix and suffix added.
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}.tmp")
    try:
        # open(..., "x") creates the file with the permissions of the user's umask.
        with temporary.open("xb+") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        _rename(temporary, target, overwrite=overwrite)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {os_reason(error)}") from error
    finally:
        # Also after KeyboardInterrupt; after a renaming there is nothing left to remove.
        with contextlib.suppress(OSError):
            temporary.unlink()
    sync_folder(target.parent)


def _rename(temporary: Path, target: Path, *, overwrite: bool) -> None:
    if not overwrite:
        try:
            # A hard link fails if the target exists, which a renaming would not.
            os.link(temporary, target)
            return
        except OSError:  # or the file system has no hard links (FAT, some network shares)
            if target.exists():
                raise FileError(
                    f"{target} exists; choose another name or pass --overwrite"
                ) from None
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
