"""Writing files: whole or not at all, targets that exist or cannot be, links, threads."""

import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.io_help import SUFFIXES, make, noise, one_line
from zspot.core.errors import FileError
from zspot.io import ImageFile, check_target, read, write


def test_no_permission(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    # Not by chmod: the superuser may read everything.
    path = make(tmp_path / "a.png")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FileError, match="no permission"):
        read(path)
    with pytest.raises(FileError, match="no permission"):
        write(path, ImageFile(noise((4, 4)), "YX"), overwrite=True)


def test_system_errors_are_explained(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(FileError) as caught:
        write(tmp_path / "a.png", ImageFile(noise((4, 4)), "YX"))
    one_line(caught, "a.png", "disk is full")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileError) as caught:
        write(tmp_path / ("x" * 300 + ".png"), ImageFile(noise((4, 4)), "YX"))
    one_line(caught, "name is too long")
    with pytest.raises(FileError):
        write(tmp_path / "a\0b.png", ImageFile(noise((4, 4)), "YX"))
    with pytest.raises(FileError):
        read(tmp_path / "a\0b.png")


def test_check_target(tmp_path):
    image = ImageFile(noise((4, 5)), "YX")
    check_target(tmp_path / "new.png")
    check_target(tmp_path / "new.png", source=image)
    make(tmp_path / "old.png")
    check_target(tmp_path / "old.png", overwrite=True)
    (tmp_path / "folder.png").mkdir()
    cases = {
        "old.png": "exists", "folder.png": "is a folder", "none/a.png": "does not exist",
        "a.xyz": "cannot tell the format", "a.NEF": "write a.tif instead",
    }  # fmt: skip
    for name, words in cases.items():
        for overwrite in (False, name != "old.png"):
            with pytest.raises(FileError) as caught:
                check_target(tmp_path / name, overwrite)
            one_line(caught, str(tmp_path / name), words)
    assert len(list(tmp_path.iterdir())) == 2


def test_check_target_folder_not_writable(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(FileError, match="not writable"):
        check_target(tmp_path / "a.png")


class _Interrupted:
    """Let the writer write something, then stop it."""

    def __init__(self, error):
        self.error = error

    def __call__(self, handle, image):
        handle.write(b"half a file")
        handle.flush()
        raise self.error


ERRORS = [KeyboardInterrupt(), SystemExit(1), MemoryError(), RuntimeError("a\nb"), OSError(28, "x")]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_interrupted_writing_changes_nothing(tmp_path, monkeypatch, suffix, exists, error):
    image = read(make(tmp_path / f"a{suffix}"))
    target = tmp_path / f"b{suffix}"
    if exists:
        target.write_bytes(b"the old file")
    before = sorted(p.name for p in tmp_path.iterdir())
    names = {".jpg": "jpeg", ".tif": "tiff.image", ".webp": "pillow.Plain", ".bmp": "pillow.Plain"}
    name = names.get(suffix, suffix[1:])
    monkeypatch.setattr(f"zspot.io.{name}.write", _Interrupted(error))
    expected = FileError if isinstance(error, (RuntimeError, OSError)) else type(error)
    with pytest.raises(expected) as caught:
        write(target, image, overwrite=True)
    if expected is FileError:
        one_line(caught, str(target))
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    if exists:
        assert target.read_bytes() == b"the old file"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_interrupted_late(tmp_path, monkeypatch, step):
    target = make(tmp_path / "a.png")
    old = target.read_bytes()
    image = read(target)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(target, image.replace(255 - image.data), overwrite=True)
    monkeypatch.undo()
    assert target.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_existing_target(tmp_path, monkeypatch):
    target = make(tmp_path / "a.png")
    old = target.read_bytes()
    image = read(target)
    with pytest.raises(FileError, match="exists"):
        write(target, image)
    assert target.read_bytes() == old

    # A file that appears after the check is not overwritten either, with or without hard links.
    monkeypatch.setattr("zspot.io.open.check_target", lambda *args: None)
    with pytest.raises(FileError, match="exists"):
        write(target, image)

    def unsupported(*args):
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr(os, "link", unsupported)
    with pytest.raises(FileError, match="exists"):
        write(target, image)
    assert target.read_bytes() == old
    write(tmp_path / "b.png", image)
    np.testing.assert_array_equal(read(tmp_path / "b.png").data, image.data)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_permissions_and_links_are_kept(tmp_path):
    target = make(tmp_path / "a.png")
    target.chmod(0o640)
    image = read(target)
    write(target, image.replace(255 - image.data), overwrite=True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    np.testing.assert_array_equal(read(target).data, 255 - image.data)
    link = tmp_path / "link.png"
    link.symlink_to(target)
    write(link, image, overwrite=True)
    assert link.is_symlink()
    np.testing.assert_array_equal(read(target).data, image.data)
    old = os.umask(0o027)
    try:
        write(tmp_path / "b.png", image)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "b.png").stat().st_mode) == 0o640


def test_source_may_be_overwritten_or_gone(tmp_path):
    for suffix in SUFFIXES:
        source = make(tmp_path / f"a{suffix}")
        image = read(source)
        source.unlink()
        write(source, image)
        write(source, image.replace(image.data // 2), overwrite=True)
        assert read(source).data.mean() == pytest.approx(image.data.mean() / 2, abs=1)


def test_pillow_limits_are_left_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for suffix in SUFFIXES:
        image = read(make(tmp_path / f"a{suffix}", noise((20, 30, 3))))
        write(tmp_path / f"a{suffix}", image, overwrite=True)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_many_threads(tmp_path):
    sources = [make(tmp_path / f"{i}{suffix}") for i in range(3) for suffix in SUFFIXES]
    failures = []

    def work(path):
        try:
            write(path, read(path), overwrite=True)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(path,)) for path in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
