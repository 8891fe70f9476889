"""Rows that wait on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from m3ter_onboarding.databases.spool import Spool


def test_parts_are_read_as_often_as_one_likes_and_in_their_order() -> None:
    with Spool[str]() as spool:
        assert list(spool) == []
        spool.append(["a", "b"])
        spool.append([])
        assert list(spool) == [["a", "b"], []]
        spool.append(["\ud800", "ß"])
        assert list(spool) == list(spool) == [["a", "b"], [], ["\ud800", "ß"]]
        spool.clear()
        assert list(spool) == []
        spool.append(["c"])
        assert list(spool) == [["c"]]


def test_a_part_is_written_behind_those_that_are_there_also_in_mid_reading() -> None:
    with Spool[int]() as spool:
        spool.append([1])
        spool.append([2])
        assert next(iter(spool)) == [1]
        spool.append([3])
        assert list(spool) == [[1], [2], [3]]


def test_no_file_can_be_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Spool[str]() as spool:
        spool.append(["ann@example.com"])
        assert list(tmp_path.iterdir()) == []
