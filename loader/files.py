"""Open input files: what they are must be clear before anything is read from them."""

from __future__ import annotations

import hashlib
from io import BufferedReader
from pathlib import Path

from loader.errors import LoadError

_MAGIC = {
    b"\x1f\x8b": "gzip data; decompress it first (gunzip)",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "zstd data; decompress it first (unzstd)",
    b"BZh": "bzip2 data; decompress it first (bunzip2)",
    b"\xfd7zXZ\x00": "xz data; decompress it first (unxz)",
    b"\xff\xfe": "UTF-16 text; convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "UTF-16 text; convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)",
    b"PAR1": "a Parquet file",
}
_SNIFFED_BYTES = 4096


def open_file(path: Path) -> BufferedReader:
    """Open `path` for reading; raises LoadError where it is missing, no file or unreadable."""
    try:
        if path.is_dir():
            raise LoadError(f"expected a file, found the folder {path}; name the file in it")
        return path.open("rb")
    except FileNotFoundError:
        raise LoadError(f"expected the file {path}, found none; check the path") from None
    except OSError as error:
        raise LoadError(f"expected to read {path}, found: {error.strerror}; check its permissions") from None


def check_is_text(path: Path) -> None:
    """Raise LoadError where the first bytes of `path` are no CSV text: empty, compressed, UTF-16 or binary."""
    with open_file(path) as file:
        head = file.read(_SNIFFED_BYTES)
    if not head:
        raise LoadError(f"expected CSV text, found an empty file: {path}; fetch or write it again")
    for magic, found in _MAGIC.items():
        if head.startswith(magic):
            raise LoadError(f"expected CSV text in {path}, found {found}")
    if b"\0" in head:
        raise LoadError(f"expected CSV text in {path}, found binary data; check that this is the right file")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file as hexadecimal digits."""
    with open_file(path) as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise LoadError(f"expected to read {path}, found: {error.strerror}; check the disk") from None
