"""Templates that somebody else fills in, by the name of the attack: in every field of a warning, in the names of places, and
in the settings of the texts. What was written is what people get, letter by letter; or the start is refused."""

from __future__ import annotations

import html
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from dispatcher.model import Channel, Kind, Level
from dispatcher.settings import PROJECT, BadConfiguration, Settings, load
from dispatcher.wording import Saying, Wordsmith, check
from tests.browser.standing import House
from tests.city import red, settings
from tests.hostile.letters import TEXTS, found, handed_in, kept, native, saying, told, written

ATTACKS = {
    "jinja": "{{7*7}}",
    "jinja-statement": "{% for x in range(9) %}x{% endfor %}",
    "jinja-class": "{{''.__class__.__mro__}}",
    "jinja-comment": "{# x #}",
    "format-attribute": "{0.__class__}",
    "format-item": "{0[0]}",
    "format-empty": "{}",
    "format-of-ours": "{place.__class__}",
    "format-spec-in-spec": "{area!r:>{w}}",
    "format-width": "{place:>9999999}",
    "field-of-ours": "{place}{description}{line}",
    "brace-left-open": "{place",
    "brace-alone": "}{",
    "braces-doubled": "{{place}}",
    "percent": "%(x)s",
    "percent-number": "%s%n%99999d",
    "shell": "${x}",
    "shell-command": "$(id)`id`",
    "dollar": "$place",
    "ognl": "#{7*7}*{7*7}@{7*7}",
    "erb": "<%= 7*7 %>",
    "back-reference": "\\1\\g<0>",
    "provider-variable": "${content}",
}
WORDED = [(Channel.SMS, False), (Channel.SMS, True), (Channel.BROADCAST, False), (Channel.VOICE, False)]
"""Channels, and whether for a resident: the texts that name who issues."""


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_people_get_the_words_as_they_were_written(house: House, attack: str) -> None:
    said = native("template", sender_name=attack, headline=attack, description=attack, instruction=attack)
    texts = (await told(house, said))["texts"]
    assert {text["channel"] for text in texts} == {"sms", "broadcast", "party"}
    assert [text["text"] for text in texts if attack not in text["text"]] == []
    event = (await told(house, native("template", event=attack)))["texts"]
    assert any(f"{attack}红色预警" in text["text"] for text in event)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_what_is_kept_and_shown_is_what_was_written(house: House, attack: str) -> None:
    for field in TEXTS:
        more = {"scope": "Restricted"} if field == "restriction" else {}
        name = f"{field}-{attack.encode().hex()}"[:200]
        status, said = await handed_in(house, written(saying(name, field, attack) | more))
        assert (status, found(await kept(house, said), field)) == (202, attack), field
    status, page, _ = await house.text("/", Accept="text/html")
    assert status == 200
    assert html.escape(attack).replace("&#x27;", "&#39;") in page


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize(("channel", "resident"), WORDED)
def test_the_name_of_a_place_stays_a_name(attack: str, channel: Channel, resident: bool) -> None:
    """The register is somebody else's file too."""
    smith = Wordsmith(settings().wording, red())
    honest = smith.word(channel, "某某村", resident=resident).body
    assert smith.word(channel, attack, resident=resident).body == honest.replace("某某村", attack)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_what_still_stands_is_named_as_it_was_written(attack: str) -> None:
    """Another source's words within ours."""
    smith = Wordsmith(settings().wording, red(kind=Kind.CANCEL), standing=attack)
    assert attack in smith.word(Channel.SMS, "某某村", saying=Saying.STANDING).body


# ── the settings ────────────────────────────────────────────────────────────────────────────────────────────────────

NO_FIELD = "没有 {{{0}}} 这个字段"
REFUSED = {
    "jinja": "7*7",
    "jinja-statement": "% for x in range(9) %",
    "jinja-class": "''.__class__.__mro__",
    "jinja-comment": "# x #",
    "format-attribute": "0.__class__",
    "format-item": "0[0]",
    "format-empty": "",
    "format-of-ours": "place.__class__",
    "format-spec-in-spec": "w",
    "format-width": "place:>9999999",
    "shell": "x",
    "ognl": "7*7",
    "provider-variable": "content",
}
"""What it names that is no field of ours; the others are printed as they are."""


def configured(folder: Path, path: tuple[str, ...], value: Any) -> Settings:
    """The project's own settings, but for one key of wording.yaml."""
    shutil.copytree(PROJECT / "config", folder / "config", ignore=shutil.ignore_patterns("jian"))
    file = folder / "config" / "wording.yaml"
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    spot = data
    for key in path[:-1]:
        spot = spot.setdefault(key, {})
    spot[path[-1]] = value
    file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return load({"MINGLUO_HOME": str(folder), "MINGLUO_CONFIG": "config"})


FORMS = {
    "sms": (Channel.SMS, False),
    "resident": (Channel.SMS, True),
    "broadcast": (Channel.BROADCAST, False),
    "party": (Channel.PARTY, False),
}


@pytest.mark.long
@pytest.mark.parametrize("name", ATTACKS)
def test_a_setting_names_our_fields_or_is_printed_as_it_is(tmp_path: Path, name: str) -> None:
    attack = ATTACKS[name]
    wording = configured(tmp_path, ("levels", "red"), dict.fromkeys(FORMS, f"{{place}}甲{attack}乙")).wording
    if name in REFUSED:
        with pytest.raises(BadConfiguration) as refused:
            check(wording)
        said = str(refused.value)
        assert [form for form in FORMS if f"red.{form}: {NO_FIELD.format(REFUSED[name])}" not in said] == []
        return
    check(wording)
    wanted = attack.replace("{place}", "某村").replace("{description}", "丙").replace("{line}", "")
    smith = Wordsmith(wording, red(description="丙"))
    bodies = [smith.word(channel, "某村", resident=resident).body for channel, resident in FORMS.values()]
    assert [body for body in bodies if f"某村甲{wanted}乙" not in body] == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_line_for_a_role_or_a_hazard_names_no_field_at_all(tmp_path: Path, name: str) -> None:
    for number, path in enumerate([("levels", "red", "lines", "duty_room"), ("hazard_lines", "暴雨", "duty_room")]):
        given = configured(tmp_path / str(number), path, ATTACKS[name])
        with pytest.raises(BadConfiguration, match="这里不能用字段"):
            check(given.wording)


@pytest.mark.long
@pytest.mark.parametrize("name", ATTACKS)
def test_a_signature_is_refused_or_printed_as_it_is(tmp_path: Path, name: str) -> None:
    given = configured(tmp_path, ("signature",), ATTACKS[name])
    if len(ATTACKS[name]) > 12:
        with pytest.raises(BadConfiguration, match="signature"):
            check(given.wording)
        return
    check(given.wording)
    assert Wordsmith(given.wording, red()).word(Channel.SMS, "某村").body.startswith(f"【{ATTACKS[name]}】暴雨")


OBJECTS = {
    "python-call": "!!python/object/apply:os.system ['touch {marker}']",
    "python-new": "!!python/object/new:os.system ['touch {marker}']",
    "python-name": "!!python/name:os.system",
    "python-module": "!!python/module:os",
    "tag-of-nobody": "!evil 甲",
}


@pytest.mark.parametrize("attack", OBJECTS.values(), ids=OBJECTS)
def test_a_setting_makes_no_object_of_python(tmp_path: Path, attack: str) -> None:
    shutil.copytree(PROJECT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("jian"))
    file, marker = tmp_path / "config" / "wording.yaml", tmp_path / "marker"
    with file.open("a", encoding="utf-8") as wording:
        wording.write(f"evil: {attack.format(marker=marker)}\n")
    with pytest.raises(BadConfiguration, match=r"wording\.yaml"):
        load({"MINGLUO_HOME": str(tmp_path), "MINGLUO_CONFIG": "config"})
    assert not marker.exists()


def test_every_level_is_worded_by_the_same_rules() -> None:
    """The table above tries red; the others have no other way."""
    wording = settings().wording
    assert {type(wording.levels[level]) for level in Level} == {type(wording.levels[Level.RED])}
