"""How a command fails."""

from __future__ import annotations


class CommandError(Exception):
    """A command could not do what it was asked for; the text is a sentence for the person who typed it.

    :param message: naming the file, the key or the option, and the way out.
    :param status: the exit status: 1, or 2 where the command line itself is wrong.
    """

    def __init__(self, message: str, *, status: int = 1) -> None:
        super().__init__(message)
        self.status = status
