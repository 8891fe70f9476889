"""The pictures of the documentation: a few of those that the tests take (``make screenshots``)."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


#: Names of the tests' pictures.
CHOSEN = (
    "form",
    "dry-run-log-of-plan",
    "question",
    "question-leads-to-the-plan",
    "backfill",
    "overview",
    "overview-dark",
    "story",
    "preview",
    "run-preview",
    "run-send-exactly",
    "run-asks",
    "run-sends",
    "worklist",
)


LARGEST = 150_000


_SIGNATURE = b"\x89PNG\r\n\x1a\n"


_LEVELS = bytes(round(round(value * 31 / 255) * 255 / 31) for value in range(256))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _rows(header: bytes, packed: bytes) -> Iterator[bytes]:
    """Undo the filters of a picture's rows (PNG specification, 9)."""
    width, height, depth, kind, *_ = struct.unpack(">IIBBBBB", header)
    if (depth, kind) != (8, 2):
        raise ValueError("The browser's pictures have three bytes for a point.")
    data, length = zlib.decompress(packed), 3 * width
    above = bytearray(length)
    for start in range(0, height * (length + 1), length + 1):
        row = bytearray(data[start + 1 : start + 1 + length])
        for at in range(length):
            left, corner = (row[at - 3], above[at - 3]) if at >= 3 else (0, 0)
            row[at] = (row[at] + _expected(data[start], left, above[at], corner)) & 255
        yield bytes(row)
        above = row


def _expected(filtered: int, left: int, above: int, corner: int) -> int:
    if filtered < 4:
        return (0, left, above, (left + above) // 2)[filtered]
    near = left + above - corner
    return min((left, above, corner), key=lambda value: abs(near - value))


def smaller(png: bytes) -> bytes:
    """Pack a picture in half its size: 32 levels of each colour, no filter, and nothing that is no picture."""
    chunks = list(_chunks(png))
    rows = _rows(chunks[0][1], b"".join(data for kind, data in chunks if kind == b"IDAT"))
    packed = zlib.compress(b"".join(b"\0" + row.translate(_LEVELS) for row in rows), 9)
    kept = [(b"IHDR", chunks[0][1]), (b"IDAT", packed), (b"IEND", b"")]
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in kept
    )


def main(source: Path, target: Path) -> None:
    """Copy the chosen pictures.

    :raises SystemExit: naming those that are missing or too large.
    """
    missing = [name for name in CHOSEN if not (source / f"{name}.png").exists()]
    if missing:
        raise SystemExit(f"The tests left no picture {', '.join(missing)} in {source}.")
    target.mkdir(exist_ok=True)
    for name in CHOSEN:
        made = smaller((source / f"{name}.png").read_bytes())
        if len(made) > LARGEST:
            raise SystemExit(f"{name}.png has {len(made)} bytes, more than {LARGEST}.")
        (target / f"{name}.png").write_bytes(made)


if __name__ == "__main__":
    main(Path(sys.argv[1]), ROOT / "docs" / "images")


if __name__ == "__main__":
    main(Path(sys.argv[1]), ROOT / "docs" / "images")
