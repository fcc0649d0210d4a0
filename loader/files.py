"""Input files: opened once, hashed, and held to that hash in every block that is read afterwards.

So that what is loaded is what was hashed, a file that changes on the way is refused and not loaded as a mixture. A pipe
can be read once only and is kept in a temporary file.
"""

from __future__ import annotations

import hashlib
import io
import os
import select
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from loader.errors import LoadError

_MAGIC = {
    b"\x1f\x8b": "gzip data; decompress it first (gunzip)",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "zstd data; decompress it first (unzstd)",
    b"BZh": "bzip2 data; decompress it first (bunzip2)",
    b"\xfd7zXZ\x00": "xz data; decompress it first (unxz)",
    b"\xff\xfe\x00\x00": "UTF-32 text; convert it to UTF-8 first (iconv -f UTF-32 -t UTF-8)",
    b"\x00\x00\xfe\xff": "UTF-32 text; convert it to UTF-8 first (iconv -f UTF-32 -t UTF-8)",
    b"\xff\xfe": "UTF-16 text; convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "UTF-16 text; convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)",
    b"PAR1": "a Parquet file",
}  # the first that fits, so that UTF-32 comes before UTF-16, with which its mark begins
_SNIFFED_BYTES = 4096
BLOCK_BYTES = 2**18
_NOTHING = hashlib.sha256().digest()
WRITER_WAIT_S = 10.0
"""How long a pipe may be without anybody who writes into it."""


class InputFile:
    """A file that is opened on first use, once; `release` closes it."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet."""
        self.path = path
        self._descriptor = -1
        self._size = 0
        self._sha256 = ""
        self._digests: list[bytes] = []

    @property
    def size(self) -> int:
        """Return the number of bytes when it was opened."""
        self._hold()
        return self._size

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the bytes as hexadecimal digits; raises LoadError where they cannot be read."""
        self._hold()
        return self._sha256

    def stream(self) -> io.BufferedReader:
        """Return a stream over the bytes that were hashed; reading raises LoadError where they have changed since."""
        self._hold()
        return io.BufferedReader(_HeldBytes(self), BLOCK_BYTES)

    def check_is_text(self) -> None:
        """Raise LoadError where the first bytes are no CSV text: none at all, compressed, UTF-16 or binary."""
        self._open()
        with reading(self.path):
            head = os.pread(self._descriptor, _SNIFFED_BYTES, 0)
        if not head:
            raise LoadError(f"expected CSV text, found an empty file: {self.path}; fetch or write it again")
        for magic, found in _MAGIC.items():
            if head.startswith(magic):
                raise LoadError(f"expected CSV text in {self.path}, found {found}")
        if b"\0" in head:
            raise LoadError(f"expected CSV text in {self.path}, found binary data; check that this is the right file")

    def block(self, number: int) -> bytes:
        """Return a block of the file; raises LoadError where it is another than was hashed."""
        with reading(self.path):
            found = os.pread(self._descriptor, BLOCK_BYTES, number * BLOCK_BYTES)
        expected = self._digests[number] if number < len(self._digests) else _NOTHING
        if hashlib.sha256(found).digest() != expected:
            raise LoadError("expected the file to stay as it is while it is imported, found it changed; import a copy")
        return found

    def release(self) -> None:
        """Close the file; its next use opens and hashes it anew."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _open(self) -> None:
        if self._descriptor < 0:
            self._descriptor, self._sha256 = _open(self.path), ""

    def _hold(self) -> None:
        self._open()
        if not self._sha256:
            with reading(self.path):
                self._hash()

    def _hash(self) -> None:
        """Hash what is there now, the whole and its blocks; what is appended meanwhile is found when it is read."""
        self._size, self._digests, whole = os.fstat(self._descriptor).st_size, [], hashlib.sha256()
        for start in range(0, self._size, BLOCK_BYTES):
            block = os.pread(self._descriptor, min(BLOCK_BYTES, self._size - start), start)
            whole.update(block)
            self._digests.append(hashlib.sha256(block).digest())
        self._sha256 = whole.hexdigest()


class _HeldBytes(io.RawIOBase):
    """The bytes of an InputFile as a stream that can seek."""

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._file.size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number, skipped = divmod(self._position, BLOCK_BYTES)
        found = self._file.block(number)[skipped : skipped + len(buffer)]
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)


@contextmanager
def held(*files: InputFile) -> Iterator[None]:
    """Close `files` in the end."""
    try:
        yield
    finally:
        for file in files:
            file.release()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system refuses while `path` is read into a LoadError."""
    try:
        yield
    except FileNotFoundError:
        raise LoadError(f"expected the file {path}, found none; check the path") from None
    except OSError as error:
        advice = "check its permissions" if isinstance(error, PermissionError) else "check the path and the disk"
        raise LoadError(f"expected to read {path}, found: {error.strerror or error}; {advice}") from None
    except ValueError:  # "embedded null byte"
        raise LoadError(f"expected the name of a file, found {str(path)!r}; check the path") from None


def read_small_file(path: Path, limit: int) -> bytes:
    """Return all of a file of at most `limit` bytes; raises LoadError where it is longer, no file or unreadable."""
    descriptor = _open(path)
    try:
        with reading(path):
            octets = os.pread(descriptor, limit + 1, 0)
    finally:
        os.close(descriptor)
    if len(octets) > limit:
        raise LoadError(f"expected at most {limit:,} bytes in {path}, found more; check that this is the right file")
    return octets


def _open(path: Path) -> int:
    """Return a descriptor of the file, of a temporary copy where it is a pipe."""
    with reading(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    try:
        if stat.S_ISFIFO(mode):
            return _spooled(descriptor, path)
        if stat.S_ISDIR(mode):
            raise LoadError(f"expected a file, found the folder {path.resolve()}; name the file in it")
        raise LoadError(f"expected a file or a pipe, found a device: {path}; name the file")
    finally:
        os.close(descriptor)


def _spooled(pipe: int, path: Path) -> int:
    """Return a descriptor of a temporary file without a name that holds all that comes out of `pipe`."""
    with tempfile.TemporaryFile() as copy:
        try:
            for octets in _pipe_blocks(pipe, path):
                copy.write(octets)
            copy.flush()
        except OSError as error:
            raise LoadError(
                f"expected room for what comes out of {path} in {tempfile.gettempdir()}, found: {error.strerror}; "
                "free some, or write it to a file and import that"
            ) from None
        return os.dup(copy.fileno())


def _pipe_blocks(pipe: int, path: Path, clock: Callable[[], float] = time.monotonic) -> Iterator[bytes]:
    """Yield what comes out of a pipe, opened without waiting for a writer, until all its writers have closed it."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    deadline = clock() + WRITER_WAIT_S
    while True:
        events = poll.poll(200)
        try:
            octets = os.read(pipe, BLOCK_BYTES)
        except BlockingIOError:  # somebody may still write
            deadline = clock() + WRITER_WAIT_S
            continue
        if octets:
            yield octets
        elif events:  # hung up: there was a writer
            return
        elif clock() > deadline:
            raise LoadError(
                f"expected somebody to write into the pipe {path}, found nobody for {WRITER_WAIT_S:g} s; "
                "start what writes it, or name a file"
            )
