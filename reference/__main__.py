"""``python -m reference [--check]``: write the parts of ``docs/`` and the files that are made from the source."""

from __future__ import annotations

import argparse
import sys

from reference import api_types, monitoring
from reference.blocks import PAGES, renewed


def main() -> int:
    """Write what differs from the source, or only list it."""
    parser = argparse.ArgumentParser(prog="python -m reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if something differs")
    check = parser.parse_args().check
    made = {page: renewed(page.read_text(encoding="utf-8"), page=page) for page in sorted(PAGES.glob("**/*.md"))}
    made[api_types.FILE] = api_types.api_types()
    made |= monitoring.files()
    stale = []
    for file, text in made.items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(file.name)
            if not check:
                file.write_text(text, encoding="utf-8")
    if stale:
        print("differs from the source, run `make reference`:" if check else "written:", ", ".join(stale))
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
