"""``python -m reference [--check]``: write the parts of ``docs/`` that are made from the source."""

from __future__ import annotations

import argparse
import sys

from reference.blocks import PAGES, renewed


def main() -> int:
    """Write the pages anew, or only tell which ones differ from the source."""
    parser = argparse.ArgumentParser(prog="python -m reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page differs")
    check = parser.parse_args().check
    stale = []
    for page in sorted(PAGES.glob("**/*.md")):
        text = page.read_text(encoding="utf-8")
        new = renewed(text, page=page)
        if new != text:
            stale.append(page.name)
            if not check:
                page.write_text(new, encoding="utf-8")
    if stale:
        print("differs from the source, run `make reference`:" if check else "written:", ", ".join(stale))
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
