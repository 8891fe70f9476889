"""The command ``m3ter-sandbox``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from m3ter_sandbox.sandbox import DEFAULT_CREDENTIALS, Sandbox, Setup
from m3ter_sandbox.seed import SeedError
from m3ter_sandbox.server import bind, serve, url_of
from m3ter_sandbox.store import StoreError
from m3ter_sandbox.switches import Switches
from m3ter_sandbox.tokens import Credentials

__all__ = ["main"]

_EXAMPLES = """\
examples:
  m3ter-sandbox --port 8321
      a local m3ter in memory; its mailbox is http://127.0.0.1:8321/mailbox
  m3ter-sandbox --port 8321 --database sandbox.db --seed start.json
      keeps everything in one file; the starting state goes into a new file only
  m3ter-sandbox --requests-per-second 0
      without the limit of 50 requests a second
  m3ter-sandbox --switch pending_invitation=error_409 --switch list_lag_seconds=5
      other answers where m3ter's documents leave them open

The same at run time:
  curl -X PATCH $URL/_sandbox/switches --json '{"retry_after": "seconds"}'
  curl $URL/_sandbox/faults --json '{"kind": "status", "status": 504, "when": "after", "count": 3}'
  curl $URL/_sandbox/emails

Connection for Airflow: type m3ter, host $URL, login the access key id, password the API secret, extra org_id.
Credentials are also read from M3TER_SANDBOX_ORG_ID, M3TER_SANDBOX_ACCESS_KEY_ID and M3TER_SANDBOX_API_SECRET.
"""


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def _switch(text: str) -> tuple[str, object]:
    name, equals, raw = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        value: object = json.loads(raw)
    except ValueError:
        value = raw
    return name.strip().replace("-", "_"), value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="m3ter-sandbox",
        description="A local m3ter: the same paths, rules, limits and faults, with a mailbox instead of e-mails.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    place = parser.add_argument_group("where it listens")
    place.add_argument("--host", default="127.0.0.1", help="address to listen at (default %(default)s)")
    place.add_argument("--port", type=_port, default=8321, help="port, 0 for a free one (default %(default)s)")
    place.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="also answer under this name, e.g. a Compose service's; may be repeated (default: loopback and --host)",
    )
    place.add_argument("--port-file", type=Path, metavar="FILE", help="write the port here when it listens")
    state = parser.add_argument_group("what it holds")
    state.add_argument("--database", metavar="FILE", help="keep everything in this SQLite file (default: in memory)")
    state.add_argument("--seed", type=Path, metavar="FILE.json", help="starting state: invitations, users, policies")
    state.add_argument("--random-seed", type=int, metavar="N", help="make ids repeatable")
    who = parser.add_argument_group("who may use it")
    environment = os.environ.get
    known = DEFAULT_CREDENTIALS
    who.add_argument("--org-id", default=environment("M3TER_SANDBOX_ORG_ID") or known.org_id)
    who.add_argument("--access-key-id", default=environment("M3TER_SANDBOX_ACCESS_KEY_ID") or known.access_key_id)
    who.add_argument("--api-secret", default=environment("M3TER_SANDBOX_API_SECRET") or known.api_secret)
    rules = parser.add_argument_group("how it behaves")
    rules.add_argument(
        "--requests-per-second", type=int, metavar="N", help="limit per organisation, 0 for none (default 50)"
    )
    rules.add_argument("--window", choices=("calendar", "sliding"), help="kind of second (default calendar)")
    rules.add_argument("--token-lifetime", type=int, metavar="S", help="seconds a token is good for (default 18000)")
    rules.add_argument(
        "--switch",
        type=_switch,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"any switch of docs/sandbox.md, may be repeated: {', '.join(sorted(Switches.model_fields))}",
    )
    parser.add_argument("--until-stdin-closes", action="store_true", help="also end when standard input is closed")
    return parser


def _setup(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Setup:
    changes = dict(options.switch)
    named = {
        "requests_per_second": options.requests_per_second,
        "window": options.window,
        "token_lifetime_seconds": options.token_lifetime,
    }
    changes |= {name: value for name, value in named.items() if value is not None}
    try:
        Switches().changed(changes)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        parser.error(f"switch {'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    seed: object = {}
    if options.seed:
        try:
            seed = json.loads(options.seed.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            parser.error(f"--seed {options.seed} cannot be read: {error}")
        if not isinstance(seed, dict):
            parser.error(f"--seed {options.seed} must hold an object with invitations, users, policies")
    if options.port_file and not options.port_file.parent.is_dir():
        parser.error(f"--port-file {options.port_file}: there is no such folder")
    for name in ("org_id", "access_key_id", "api_secret"):
        if not getattr(options, name):
            parser.error(f"--{name.replace('_', '-')} must not be empty")
    return Setup(
        credentials=Credentials(options.org_id, options.access_key_id, options.api_secret),
        database=options.database,
        switches=changes,
        seed=seed if isinstance(seed, dict) else {},
        random_seed=options.random_seed,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the sandbox until a signal ends it.

    :param arguments: of the command line; by default the process's own.
    :returns: the exit status.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    setup = _setup(parser, options)
    # uvicorn hands a caught signal on to the handler before it: ended by a signal is ended well.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    try:
        sandbox = Sandbox(setup)
    except (StoreError, SeedError) as error:
        return _failed(str(error))
    try:
        listener = bind(options.host, options.port)
    except (OSError, OverflowError) as error:
        sandbox.close()
        return _failed(f"Cannot listen at {options.host} port {options.port}: {error}. Choose another with --port.")

    def started() -> None:
        url = url_of(listener)
        if options.port_file:
            # Renamed into place: a process that waits for the file must not read half a number.
            part = options.port_file.with_name(options.port_file.name + ".part")
            part.write_text(f"{listener.getsockname()[1]}\n", encoding="ascii")
            part.replace(options.port_file)
        print(f"m3ter sandbox listens at {url} (mailbox: {url}/mailbox)", flush=True)

    hosts = [options.host, *options.allow_host]
    serve(sandbox, listener, started, hosts=hosts, until_stdin_closes=options.until_stdin_closes)
    return 0


def _failed(text: str) -> int:
    print(f"m3ter-sandbox: {text}", file=sys.stderr)
    return 1


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
