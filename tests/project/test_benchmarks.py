"""The table and the plot of `make bench`, built from a result; nothing is timed here."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

from benchmarks import _scale_plot, scale, startup
from benchmarks._peers import cases, plot, table
from benchmarks._peers.figures import Measured, lines_of
from benchmarks._peers.server import M3ter, Switches

RAW = Measured(
    case="100 people, 0 ms",
    peer=cases.RAW,
    round=0,
    people=100,
    wall=0.5,
    cpu=0.01,
    peak_mib=50.0,
    requests=101,
    tokens=1,
    twice=0,
    lost=1,
)
RESULT = [
    RAW,
    replace(RAW, round=1, wall=1.0, lost=0),
    replace(RAW, peer=cases.HOOK, wall=1.0, cpu=0.02),
    replace(RAW, peer=cases.HOOK, round=1, wall=1.0, cpu=0.04),
    replace(RAW, peer="<m3ter SDK>", people=50, wall=1.0, twice=2),
]


def test_ratios_are_those_of_the_same_round() -> None:
    raw, hook, sdk = lines_of(RESULT)
    assert (raw.rounds, raw.speed.median, raw.lost) == (2, 1.0, 1)
    assert (hook.speed.least, hook.speed.most) == (0.5, 1.0)
    assert (hook.cpu_ratio.least, hook.cpu_ratio.most) == (2.0, 4.0)
    assert (sdk.asked, sdk.people, sdk.wall.median, sdk.speed.median) == (100, 50, 2.0, 0.25)


def test_the_table_has_a_row_for_each_peer_and_marks_what_is_scaled() -> None:
    rows = table.markdown(lines_of(RESULT)).splitlines()
    assert len({row.count("|") for row in rows}) == 1
    assert rows[2].startswith("| **100 people, 0 ms** |")
    assert rows[3].startswith(f"| {cases.RAW} | 0.75 (0.50–1.00) | 1.00 |")
    assert rows[5].startswith("| <m3ter SDK> (50 people) | ~2.00 | 0.25 |")
    assert rows[5].endswith("| 2 | 1 |")


def test_json_and_plot_can_be_read() -> None:
    lines = lines_of(RESULT)
    kept = json.loads(table.as_json({"cores": 2}, RESULT, lines))
    assert (len(kept["lines"]), len(kept["measured"])) == (3, 5)
    picture = ElementTree.fromstring(plot.svg(lines))
    assert "<m3ter SDK>" in [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]


def test_a_round_without_raw_aiohttp_counts_for_nobody() -> None:
    assert lines_of([replace(RAW, peer=cases.HOOK)]) == []


def test_each_case_has_raw_aiohttp_and_a_title_of_its_own() -> None:
    for wanted in (list(cases.full()), list(cases.short())):
        assert all(cases.RAW in case.peers and cases.RAW not in case.once for case in wanted)
        assert len({case.title for case in wanted}) == len(wanted)


def test_the_server_counts_emails_whose_answers_are_lost() -> None:
    m3ter = M3ter()
    sent = b'{"email": "Ann@example.com"}'
    for switches, answered, emails in ((Switches(lost_before=1.0), False, 0), (Switches(lost_after=1.0), False, 1)):
        m3ter.reset(switches)
        assert (m3ter.answer("POST", "/organizations/o/invitations", sent) is not None) is answered
        assert m3ter.counts()["emails"] == emails
    m3ter.reset(Switches())
    for number in range(101):
        m3ter.answer("POST", "/organizations/o/invitations", b'{"email": "p%d@example.com"}' % number)
    first = json.loads(m3ter.answer("GET", "/organizations/o/invitations?pageSize=200", b"")[1])  # type: ignore[index]
    assert (first["data"][0]["email"], len(first["data"]), first["nextToken"]) == ("p100@example.com", 100, "1")


def test_the_table_of_tasks_sums_them_up() -> None:
    task = {"before_cpu": 1.0, "cpu": 0.5, "import_cpu": 0.2, "modules": 7, "connections": {"b": 1, "a": 2}}
    run = {name: {**task, "databases": 3, "empty": {"before_cpu": 1.0, "cpu": 0.0}} for name in startup.TASKS}
    rows = startup.table([run]).splitlines()
    assert rows[2] == "| snapshot | 1.00 | 1.50 | 0.20 | 7 | a 2×, b 1× | 3 |"
    assert rows[-1].startswith("| all five | 5.00 | 7.50 | 1.00 |")
    assert len({row.count("|") for row in rows}) == 1


def test_the_tables_and_the_plot_of_large_plans_show_how_they_grow() -> None:
    plans = [
        {"database": "sqlite", "people": many, "new": many, "wall": many / 1e4, "cpu": many / 2e4}
        | {"peak_mib": 100.0 + many / 1e4, "before_mib": 90.0}
        for many in (1_000, 10_000)
    ]
    known = {**plans[1], "new": 100}
    sent = {"database": "sqlite", "people": 1_000, "wall": 1.0, "cpu": 0.5, "peak_mib": 100.0, "requests": 1_004}
    read = {**sent, "what": "nothing changed", "invitations": 100_000, "requests": 1}
    text = scale.markdown({"planned": [*plans, known], "delivered": [sent], "read": [read]})
    assert "sqlite: time grows as people to the power of 1.00" in text
    assert "| sqlite | 1,000 | 1.0 | 0.5 | 500 | 100 | 1,004 |" in text
    assert "| sqlite | 100,000 | nothing changed | 1 | 1.0 | 0.5 | 100 |" in text
    picture = ElementTree.fromstring(_scale_plot.svg(scale.all_new([*plans, known])))
    words = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"CPU s", "peak MiB", "1,000", "10,000", "sqlite: slope 1.00", "sqlite: slope 0.00"} <= set(words)


def test_the_server_lists_invitations_of_earlier_days_the_newest_first() -> None:
    m3ter = M3ter()
    m3ter.reset(Switches(invitations=101))
    page = json.loads(m3ter.answer("GET", "/organizations/o/invitations?pageSize=200", b"")[1])  # type: ignore[index]
    made = [one["dtCreated"] for one in page["data"]]
    assert made == sorted(made, reverse=True)
    assert (len(made), page["nextToken"]) == (100, "1")
