"""`read`, `write`, `open_stack`, `check_target`: choosing the format by name and content."""

import importlib
import os
import re
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from zspot.core.errors import FileError, install
from zspot.io.atomic import atomic_write, check_free, check_plain, os_reason
from zspot.io.checks import MAX_PIXELS, Limit, first_line, one_kind_of_error
from zspot.io.image_file import ImageFile, Stack

Name = str | os.PathLike[str]
_RAW = ".dng .cr2 .cr3 .crw .nef .nrw .arw .sr2 .srf .raf .orf .rw2 .pef .srw .3fr .erf .iiq .mrw"
_TIFF = rb"II[*+]\0(?!....CR)|MM\0[*+]"  # not CR2, of which only the preview would be read


class Format(NamedTuple):
    """A format: its module, or an object `JXL` in it for "jxl", has `read`, `write`, `refusal`."""

    suffixes: tuple[str, ...]
    start: bytes  # regular expression
    module: str  # imported on first use
    written_as: str = ""  # in place of a format that is read only
    packages: str = ""  # of the extra that is named like the module


FORMATS = {
    "png": Format((".png",), rb"\x89PNG\r\n\x1a\n", "png"),
    "jpeg": Format((".jpg", ".jpeg", ".jpe"), rb"\xff\xd8\xff", "jpeg"),
    "tiff": Format((".tif", ".tiff", ".btf", ".svs", ".lsm"), _TIFF, "tiff.image"),
    "ndpi": Format((".ndpi",), _TIFF, "tiff.image", ".tif"),
    "webp": Format((".webp",), rb"RIFF....WEBP", "pillow"),
    "bmp": Format((".bmp",), rb"BM", "pillow"),
    "jxl": Format((".jxl",), rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", "coded"),
    "avif": Format((".avif",), rb"....ftyp(avi[fs]|....+avi[fs])", "coded"),
    "jp2": Format((".jp2", ".jpx", ".jpf"), rb"\0\0\0\x0cjP  \r\n\x87\n", "coded"),
    "j2k": Format((".j2k", ".j2c", ".jpc"), rb"\xff\x4f\xff\x51", "coded"),
    "npy": Format((".npy",), rb"\x93NUMPY", "npy"),
    "fits": Format((".fits", ".fit", ".fts"), rb"SIMPLE  =", "fits", "", "astropy"),
    "dicom": Format((".dcm",), rb".{128}DICM", "dicom", "", "pydicom"),
    "exr": Format((".exr",), rb"\x76\x2f\x31\x01", "exr", "", "OpenEXR"),
    "raw": Format(tuple(_RAW.split()), rb"(?!)", "raw", ".tif", "rawpy"),  # begin in many ways
    "nd2": Format((".nd2",), rb"\xda\xce\xbe\x0a", "bioio", ".ome.tif", "bioio bioio_nd2"),
    "czi": Format((".czi",), rb"ZISRAWFILE", "bioio", ".ome.tif", "bioio bioio_czi"),
}
HEAD = 256  # bytes that tell the format
_BY_SUFFIX = {suffix: name for name, kind in FORMATS.items() for suffix in kind.suffixes}
_STORE = ".zarr"
#: Suffixes of the files and folders that hold images.
SUFFIXES = frozenset(_BY_SUFFIX) | {_STORE}
_WRITTEN = ", ".join(kind.suffixes[0] for kind in FORMATS.values() if not kind.written_as)
_NAMES = {name: name.upper() for name in FORMATS} | {"webp": "WebP", "jxl": "JPEG XL"}
# What of the common metadata the formats keep of a file of another format.
_KEPT = {"png": "icc exif xmp resolution", "jpeg": "icc exif xmp resolution", "bmp": "resolution"}
_KEPT |= {"webp": "icc exif xmp", "tiff": _KEPT["png"], "jxl": "exif xmp", "jp2": "exif xmp"}
_SAID = {"icc": "the colour profile", "exif": "EXIF", "xmp": "XMP", "resolution": "the resolution"}
_SAID |= {"description": "the description"}
_STAYS = "keep their old pixels"  # in a file like the source
_TOLD = rf"look at the result\.$|{_STAYS}"  # notes that are of use in another format, too
_NAMES |= {"jp2": "JPEG 2000", "j2k": "raw JPEG 2000"}


def read(
    path: Name, *, max_pixels: int = MAX_PIXELS, max_memory: int | str | None = None
) -> ImageFile:
    """Read an image file of one of the formats listed in the documentation, "Files and formats".

    The suffix must agree with the content; pixels keep the file's shape, dtype and scale.
    `max_pixels` is the largest number of values (pixels times samples times planes), `max_memory`
    as in `zspot.denoise`: the header is held against both first. FileError: for any other file.
    """
    path = Path(path)
    with one_kind_of_error(path):
        return _module(_identify(path), path).read(path, Limit(max_pixels, max_memory))


def open_stack(
    path: Name, target: Name, *, max_pixels: int = MAX_PIXELS, max_memory: int | str | None = None
) -> AbstractContextManager[Stack | None]:
    """Open a file whose planes can be read and written one by one: TIFF, ND2 or CZI.

    Arguments and errors are those of `read`, limits those of one plane; `target` is the file to be
    written. None where the file must be read and written whole (`read`, `write`).
    """
    path, stack = Path(path), None
    with one_kind_of_error(path):
        module = _module(_identify(path), path)
        if hasattr(module, "open_stack") and _BY_SUFFIX.get(Path(target).suffix.lower()) == "tiff":
            stack = module.open_stack(path, Limit(max_pixels, max_memory))
    return nullcontext() if stack is None else closing(stack)


def write(path: Name, image: ImageFile, *, overwrite: bool = False) -> None:
    """Write an image file, complete or not at all.

    The suffix chooses the format. That of the source keeps everything, another one what it can hold
    (pixels, alpha, ICC profile, EXIF, XMP, resolution); an existing file keeps its permissions.
    FileError: if that cannot be; the target is then unchanged, and nothing else left behind.
    """
    path = Path(path)
    check_target(path, overwrite, image)
    module = _module(_BY_SUFFIX[path.suffix.lower()], path)
    try:
        with atomic_write(path, overwrite=overwrite) as handle:
            module.write(handle, image)
    except MemoryError:
        raise
    except Exception as error:
        known = isinstance(error, FileError)
        if known and str(path) in str(error):
            raise
        why = f": {error}" if known else f" ({first_line(error)}); try a .tif file"
        raise FileError(f"{path} cannot be written{why}") from error


def notes_on(image: ImageFile, target: Name, *, anew: bool = False) -> tuple[str, ...]:
    """Say what is to be known of writing an image: in another format, or `anew`, what it loses."""
    from zspot.io.pillow import turned

    source, name = (_BY_SUFFIX.get(Path(p).suffix.lower(), "") for p in (image.path or "", target))
    if not source or FORMATS[source].written_as or (source == name and not anew):
        return image.notes
    found, kept = image.metadata, _KEPT.get(name, "").split()
    kept += ["description"] * ("exif" in found and "exif" in kept)  # which holds it, too
    lost = [said for key, said in _SAID.items() if key in found and key not in kept]
    lost.append(f"what only {_NAMES[source]} files have" if source != name else "all of its own")
    notes = [n.replace(_STAYS, "are not kept") for n in image.notes if re.search(_TOLD, n)]
    notes.append(f"Not kept in the {_NAMES[name]} file: {', '.join(lost)}.")
    turn = turned(found["exif"]) if "exif" in found and ("EXIF" in lost or name == "jxl") else 1
    shown = found.get("shown") or (f"its orientation is {turn}" if turn != 1 else "")
    notes += [f"The picture looks otherwise now, because {shown}."] * bool(shown)
    return tuple(notes)


def check_target(path: Name, overwrite: bool = False, source: ImageFile | None = None) -> None:
    """Check that a file can be written, and `source` in it, before the work whose result it holds.

    A `FileError` says if the folder is missing or not writable, the target is a folder or exists,
    or its format is unknown, read only or cannot hold the dtype, axes or alpha of `source`.
    """
    path = Path(path)
    name = _BY_SUFFIX.get(path.suffix.lower())
    if name is None:
        raise FileError(f"{path}: cannot tell the format from the name; end it in {_WRITTEN}")
    if FORMATS[name].written_as:
        kind, other = _NAMES[name], output_name(path).name
        raise FileError(f"{path}: {kind} files cannot be written; write {other} instead")
    try:
        if path.is_dir():
            raise FileError(f"{path} is a folder; name a file in it")
        check_free(path, overwrite)
    except (OSError, ValueError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else first_line(error)
        raise FileError(f"{path} cannot be written: {reason}") from error
    refusal = getattr(_module(name, path), "refusal", None)  # TIFF holds everything
    if source is not None and refusal and (reason := refusal(source)):
        raise FileError(f"{path}: {reason}")


def output_name(path: Path, ending: str = "") -> Path:
    """Return the name of an output, with a suffix that can be written: the stem and `ending`."""
    kind = FORMATS.get(_BY_SUFFIX.get(path.suffix.lower(), ""))
    path = path.with_suffix(kind.written_as) if kind and kind.written_as else path
    name = re.sub(r"((\.ome)?\.[^.]*)?$", rf"{ending}\1", path.name, count=1, flags=re.I)
    return path.with_name(name)


def format_of(head: bytes) -> str | None:
    """Return the format that the first bytes of a file name, or None."""
    return next((n for n, kind in FORMATS.items() if re.match(kind.start, head, re.DOTALL)), None)


def is_store(path: Name) -> bool:
    """Say whether a path is, or by its name would be, a Zarr folder."""
    return Path(path).suffix.lower() == _STORE and not Path(path).is_file()


def _module(name: str, path: Path) -> Any:
    kind = FORMATS[name]
    try:
        for package in kind.packages.split():
            importlib.import_module(package)
    except ImportError as error:
        what = f"{path} is a file of format {_NAMES[name]}"
        raise FileError(f"{what}; {install(kind.module)}") from error
    module = importlib.import_module(f"zspot.io.{kind.module}")
    return getattr(module, name.upper(), module)


def _identify(path: Path) -> str:
    """Return the format that both the suffix and the first bytes name."""
    if path.is_dir():
        raise FileError(f"{path} is a folder; name a file in it")
    check_plain(path)
    with path.open("rb") as handle:
        head = handle.read(HEAD)
    expected, found = _BY_SUFFIX.get(path.suffix.lower()), format_of(head)
    # DICOM may begin as a TIFF file does, and RAW may be one.
    if expected and re.match(FORMATS[expected].start, head, re.DOTALL):
        return expected
    if expected == "raw" and found in (None, "tiff"):
        return expected
    if found:
        suffix = FORMATS[found].suffixes[0]
        raise FileError(f"{path} is a {_NAMES[found]} file; rename it to {path.stem}{suffix}")
    if expected is None:
        raise FileError(f"{path}: zspot does not know this format; convert it to {_WRITTEN}")
    if not head:
        raise FileError(f"{path} is empty (0 bytes); copy the file again")
    what = f"{path} is not a {_NAMES[expected]} file"
    raise FileError(f"{what}, whatever its name says; check its origin")
