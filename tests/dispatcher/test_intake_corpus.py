"""The corpus: 170 real and derived CAP files, each with the verdict it must get; and the city's own profile in tests/cap."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dispatcher.geofence import Resolved
from dispatcher.intake.decode import decode
from dispatcher.intake.judge import Circumstances, judge, verdict_of
from dispatcher.intake.times import parse
from dispatcher.model import Code, Finding, Kind, Level, Scope, Status, Verdict
from dispatcher.settings import Source
from tests.cap.corpus import CORPUS, HAZARDS, OURS, REQUIRED, corpus, expectations, our_alerts

ANYONE = Source(name="任何来源", trusted=True, area_prefixes=("",))
SOMEWHERE = Resolved(villages=("360802100201",), touched=("360802100201",), counties=("360802",))


def findings_at_its_own_time(file: Path) -> tuple[Finding, ...]:
    decoded = decode(file.read_bytes(), "application/cap+xml", HAZARDS)
    if decoded.message is None:
        return decoded.findings
    now = decoded.message.sent
    moment = Circumstances(source=ANYONE, now=now, tolerance_s=300, resolved=SOMEWHERE, references_known=False)
    return (*decoded.findings, *judge(decoded.message, moment))


def test_the_corpus_is_there_where_it_must_be() -> None:
    if not (CORPUS / "manifest.json").is_file():
        sentence = f"CAP corpus not found at {CORPUS}: set MINGLUO_CAP_CORPUS to its folder"
        assert not REQUIRED, sentence
        pytest.skip(sentence)
    assert len(corpus()) >= 170
    assert len(expectations()) >= 98


@pytest.mark.parametrize("row", corpus())
def test_every_file_of_the_corpus_gets_its_verdict(row: dict[str, Any]) -> None:
    verdict, code, reason = verdict_of(found := findings_at_its_own_time(CORPUS / row["file"]))
    match row["expect"]:
        case "valid":
            assert not {finding.code for finding in found} & {Code.GEOMETRY, Code.SCHEMA, Code.SIZE, Code.FORMAT}, (
                reason
            )
        case "invalid" | "refuse":
            assert verdict is Verdict.REJECT, reason
        case "flag-or-refuse":
            assert verdict in (Verdict.REJECT, Verdict.HOLD), reason
        case "flagged":
            assert verdict is Verdict.HOLD, reason
        case "other-formats":
            assert verdict is Verdict.REJECT
            assert code in (Code.FORMAT, Code.SCHEMA), reason
        case other:
            pytest.fail(f"the manifest has a new word: {other}")


CODES = {
    "xsd": Code.SCHEMA,
    "xml": Code.SCHEMA,
    "ns": Code.FORMAT,
    "polygon": Code.GEOMETRY,
    "circle": Code.GEOMETRY,
    "references.missing": Code.REFERENCE_MISSING,
    "expires.before": Code.CLOCK,
}
"""What the manifest finds → the code it must be answered with; 220 where it is not named."""


@pytest.mark.parametrize("row", [param for param in corpus() if param.values[0].get("derived_from")])
def test_every_derived_fault_is_answered_with_its_code(row: dict[str, Any]) -> None:
    fault = row["code"]
    codes = {finding.code for finding in findings_at_its_own_time(CORPUS / row["file"])}
    wanted = (
        {Code.SIZE, Code.SCHEMA} if fault == "*" else {CODES.get(fault, CODES.get(fault.split(".")[0], Code.SCHEMA))}
    )
    assert codes & wanted


@pytest.mark.parametrize(("file", "expected"), expectations())
def test_every_readable_file_is_read_as_expected(file: str, expected: dict[str, Any]) -> None:
    message = decode((CORPUS / file).read_bytes(), "", HAZARDS).message
    assert message is not None
    assert (message.identifier, message.sender) == (expected["identifier"].strip(), expected["sender"].strip())
    assert message.sent == parse(expected["sent"])
    head = (message.status, message.kind, message.scope)
    assert head == (expected["status"], expected["msgType"], expected["scope"])
    triplets = [(r.sender, r.identifier, r.sent) for r in message.references]
    assert triplets == [(s, i, parse(t)) for s, i, t in (r.split(",") for r in expected["references"] or ())]
    if not expected["info"]:
        assert message.areas == ()
        return
    chinese = [info for info in expected["info"] if info["language"] == "zh-CN"]
    info = next(iter(chinese or [i for i in expected["info"] if i["language"].startswith("zh")] or expected["info"]))
    assert message.language == info["language"]
    assert message.event == " ".join(info["event"].split())
    assert list(message.categories) == info["category"]
    assert (message.urgency, message.certainty) == (info["urgency"], info["certainty"])
    assert message.expires == (parse(info["expires"]) if info["expires"] else None)
    assert message.headline == " ".join((info["headline"] or "").split())
    assert len(message.parameters) == info["parameters"]
    assert len(message.resources) == info["resources"]
    assert sum(len(area.polygons) for area in message.areas) == info["polygons"]
    assert sum(len(area.circles) for area in message.areas) == info["circles"]
    geocodes = [[code.scheme, code.value] for area in message.areas for code in area.geocodes]
    assert geocodes[: len(info["geocodes"])] == info["geocodes"]
    assert len(geocodes) == info["geocode_count"]


@pytest.mark.parametrize("row", our_alerts())
def test_every_alert_of_the_chinese_profile_is_read_whole(row: dict[str, Any]) -> None:
    decoded = decode((OURS / row["file"]).read_bytes(), "application/cap+xml", HAZARDS)
    message = decoded.message
    assert {finding.code for finding in decoded.findings} <= {Code.LEVEL_UNKNOWN}, "a colour that is not usual, at most"
    assert verdict_of(decoded.findings)[0] is Verdict.ACCEPT
    assert message is not None
    assert message.language == "zh-CN"
    assert message.identifier == row["identifier"]
    assert message.headline == row["headline"]
    assert len(message.description) == row["description_chars"]
    assert message.level is not None
    assert message.level.chinese == row["colour"] + "色"
    assert message.hazard is not None
    assert (message.event, message.hazard.name) == (row["event"], row["event"])
    assert message.expires == parse(row["expires"])
    assert (message.status, message.kind, message.scope) == (row["status"], row["msgType"], row["scope"])
    if row["area_names"]:
        assert [area.description for area in message.areas][: len(row["area_names"])] == row["area_names"]
    codes = {geocode.value for area in message.areas for geocode in area.geocodes}
    assert codes == set(row["geocodes"])
    assert bool(row["polygon"]) == any(area.polygons for area in message.areas)
    assert bool(row["circle"]) == any(area.circles for area in message.areas)


@pytest.mark.parametrize("row", our_alerts())
def test_an_alert_of_the_chinese_profile_is_accepted_in_its_time_and_refused_after_it(row: dict[str, Any]) -> None:
    message = decode((OURS / row["file"]).read_bytes(), "", HAZARDS).message
    assert message is not None
    soon = message.sent + timedelta(minutes=1)
    here = Circumstances(source=ANYONE, now=soon, tolerance_s=300, resolved=SOMEWHERE, references_known=True)
    assert verdict_of(judge(message, here)) == (Verdict.ACCEPT, None, "")
    _, code, _ = verdict_of(judge(message, replace(here, now=parse(row["expires"]))))
    assert code == (None if message.kind is Kind.CANCEL else Code.EXPIRED)


def test_the_profile_holds_drills_tests_and_restricted_ones() -> None:
    messages = [decode((OURS / row.values[0]["file"]).read_bytes(), "", HAZARDS).message for row in our_alerts()]
    read = [message for message in messages if message is not None]
    assert {message.status for message in read} == {Status.ACTUAL, Status.EXERCISE, Status.TEST}
    assert {message.scope for message in read} == {Scope.PUBLIC, Scope.RESTRICTED}
    assert {message.level for message in read} == set(Level)
