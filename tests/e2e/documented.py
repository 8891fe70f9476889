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
)
LARGEST = 150_000
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def smaller(png: bytes) -> bytes:
    """Pack a picture again, as tightly as zlib can, and without what is no picture."""
    chunks = list(_chunks(png))
    packed = zlib.compress(zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT")), 9)
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
