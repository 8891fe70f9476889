"""A notifier as anybody may write one: it keeps its messages, and writes them into a file where it is given one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from airflow.sdk import BaseNotifier


class RecordingNotifier(BaseNotifier):
    """Keeps its messages.

    :param text: a template.
    :param file: a further line for each message is written there.
    """

    template_fields: Sequence[str] = ("text",)
    messages: ClassVar[list[str]] = []

    def __init__(self, text: str = "{{ message }}", file: str | None = None) -> None:
        super().__init__()
        self.text = text
        self.file = file

    def notify(self, context: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Keep a message."""
        self.messages.append(self.text)
        if self.file is not None:
            with Path(self.file).open("a") as lines:
                lines.write(f"{self.text}\n")
