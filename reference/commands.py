"""What a command line says about itself, in Markdown; argparse's own help looks different in each Python."""

from __future__ import annotations

import argparse
import re

from m3ter_onboarding.cli.command import _parser


def described(name: str) -> str:
    """Describe a command of ``m3ter-onboarding``: what it does, its arguments, its examples.

    :param name: of the command.
    :raises LookupError: when there is none of that name.
    """
    (commands,) = [action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)]
    if name not in commands.choices:
        raise LookupError(f"m3ter-onboarding has no command {name!r}, only {', '.join(commands.choices)}")
    parser: argparse.ArgumentParser = commands.choices[name]
    rows = [_row(action) for action in parser._actions if action.dest != "help"]
    examples = re.sub(r"^examples:\n", "", parser.epilog or "")
    examples = re.sub(r"^ {2}", "", examples, flags=re.MULTILINE).strip("\n")
    return (
        f"{(parser.description or '').strip()}\n\n"
        f"| argument | meaning |\n| --- | --- |\n{''.join(rows)}\n```text\n{examples}\n```\n"
    )


def _row(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else ""
    if action.choices and not value:  # with a name of their own they are in the words of its help
        value = " or ".join(f"`{choice}`" for choice in action.choices)
    elif value:
        value = f"`{value}`"
    name = f"`{action.option_strings[0]}` {value}".strip() if action.option_strings else value
    help_text = (action.help or "").replace("%(default)s", f"`{action.default}`")
    return f"| {name} | {help_text} |\n"
