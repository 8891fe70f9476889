"""Run every benchmark of this folder, or those named: ``python -m benchmarks [NAME …] [OPTION …]``.

A benchmark is a module here with a function ``main()`` that prints its figures; options are for those that take some.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import shutil
import sys
import tempfile
from pathlib import Path


def main() -> int:
    """Run the benchmarks in an Airflow home of their own."""
    folder = Path(__file__).parent
    known = [module.name for module in pkgutil.iter_modules([str(folder)]) if not module.name.startswith("_")]
    first = next((number for number, given in enumerate(sys.argv) if given.startswith("-")), len(sys.argv))
    wanted, options = sys.argv[1:first] or known, sys.argv[first:]
    if unknown := set(wanted) - set(known):
        print(f"There is no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}.", file=sys.stderr)
        return 2
    home = tempfile.mkdtemp(prefix="m3ter-bench-")
    os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    try:
        for name in wanted:
            print(f"## {name}", flush=True)
            importlib.import_module(f"benchmarks.{name}").main(*([options] if options else []))
            print(flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
