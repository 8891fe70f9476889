"""``python -m m3ter_onboarding`` is the command ``m3ter-onboarding``."""

from __future__ import annotations

import sys

from m3ter_onboarding.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
