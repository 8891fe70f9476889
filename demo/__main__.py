"""``python -m demo``: the main job on real input, offline, by real Airflow. ``--keep`` leaves it running."""

from __future__ import annotations

import argparse
import fcntl
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timezone
from pathlib import Path
from types import FrameType

from demo.airflow_api import AirflowApiError
from demo.airflow_settings import USERS
from demo.finance import Standing, ask_for_approval, describe, finish_runs
from demo.metadata_template import MigrationError
from demo.progress import Progress
from demo.report import judge, report
from demo.run import RunFailedError, list_who_starts, run_chapters
from demo.scene import ROOT, Scene, open_scene
from m3ter_sandbox.testing import SandboxError

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the demo and return its exit status: 0 only if the outcome is right."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="go on from the last start, and stay until Ctrl-C")
    parser.add_argument(
        "--state", type=Path, help="directory of all it makes (default .demo/run, with --keep .demo/ui)"
    )
    parser.add_argument(
        "--today",
        type=date.fromisoformat,
        default=datetime.now(timezone.utc).date(),
        help="the demo is about the two days before this one (default today, UTC)",
    )
    options = parser.parse_args()
    keep: bool = options.keep
    state: Path = options.state or ROOT / ".demo" / ("ui" if keep else "run")
    for number in _ENDING:
        signal.signal(number, _interrupt)
    progress = Progress()
    try:
        with _alone(state), open_scene(state, options.today, progress, keep) as scene:
            try:
                if keep:
                    finish_runs(scene)
                chapters = run_chapters(scene, progress)
                standing = None
                if keep:
                    standing = ask_for_approval(scene, progress)
                    list_who_starts(scene, progress)
                verdict = judge(scene, chapters, standing.invited if standing else frozenset())
                print(report(scene, chapters, verdict, progress.seconds))
                print(_next_steps(scene, standing), flush=True)
                if keep:
                    threading.Event().wait()
            finally:
                _deafen()
    except KeyboardInterrupt:
        progress.done("stopped")
        print("\nStopped; everything that was started has been ended.", flush=True)
        return 0 if keep else 130
    except (AirflowApiError, MigrationError, RunFailedError, SandboxError) as error:
        progress.done("failed")
        print(f"\n{error}\n\nThe demo failed; its logs are in {state}.", file=sys.stderr)
        return 1
    return 1 if verdict.wrong else 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Treat a request to end, or a closed terminal, as Ctrl-C, and the second as nothing: we are at it."""
    _deafen()
    raise KeyboardInterrupt


def _deafen() -> None:
    """Let nothing interrupt the ending of what was started."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second demo out of the same directory."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"It is running already, in {folder}; end that one first (Ctrl-C there).")
        yield


def _next_steps(scene: Scene, standing: Standing | None) -> str:
    if standing is None:
        return "\n".join(
            [
                "",
                "Where to look next",
                "  make ui                  the same, left running: Airflow, m3ter's mailbox, the warehouse",
                f"  {scene.warehouse_file}   warehouse and ledger (SQLite): tables hires, m3ter_…",
                "  README.md                your own warehouse and organisation, in five steps",
            ]
        )
    return "\n".join(
        [
            "",
            f"  Airflow           {scene.airflow.url}   user admin, password {USERS['admin']}",
            f"  m3ter's mailbox   {scene.m3ter.url}/mailbox",
            f"  warehouse, ledger {scene.warehouse_file}   (SQLite)",
            "",
            *describe(scene, standing),
            "",
            "It runs until Ctrl-C, and goes on from here next time. Airflow's schedule is off: start runs in the UI.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
