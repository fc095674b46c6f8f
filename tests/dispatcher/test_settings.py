"""Bad configuration stops the start and names file and line; the environment lies over the files; secrets stay out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from channels import catalog
from dispatcher.model import Channel, Level
from dispatcher.settings import PROJECT, BadConfiguration, Settings, load
from dispatcher.wording import check as check_wording

KEY = "5e" * 32

Change = Callable[[str, str, str], Path]


@pytest.fixture
def change(tmp_path: Path) -> Change:
    """`change("policy", old, new)`: a copy of the shipped configuration with that one difference."""
    folder = tmp_path / "config"
    shutil.copytree(PROJECT / "config", folder, ignore=shutil.ignore_patterns("jian"))

    def edit(name: str, old: str, new: str) -> Path:
        path = folder / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{old!r} is not in {name}.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder

    return edit


def loaded(folder: Path, **environment: str) -> Settings:
    return load({"MINGLUO_CONFIG": str(folder), **environment})


def refusal(folder: Path, **environment: str) -> str:
    with pytest.raises(BadConfiguration) as refused:
        loaded(folder, **environment)
    return str(refused.value)


def line_of(path: Path, text: str) -> int:
    return next(no for no, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if text in line)


# ── what is shipped ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_configuration_is_accepted_whole() -> None:
    settings = load({})
    assert set(settings.policy.levels) == set(settings.wording.levels) == set(Level)
    assert {"city-weather", "county-weather", "drill"} <= set(settings.sources)
    check_wording(settings.wording)
    ours = {"ebrid": settings.service.platform_ebrid, "sender_code": settings.service.sender_code}
    for channel, providers in settings.channels.items():
        for name, given in providers.items():
            catalog.check(channel, name, given | ours if channel is Channel.BROADCAST else given)


def test_no_secret_is_needed_to_read_the_shipped_configuration_and_none_is_in_it() -> None:
    settings = load({})
    assert settings.service.seal_key is None
    assert all(source.token is None and source.secret is None for source in settings.sources.values())
    assert settings.channels[Channel.SMS]["twilio"]["auth_token"] is None


def test_a_red_is_sent_over_every_channel_and_tried_until_it_expires() -> None:
    red = load({}).policy.levels[Level.RED]
    assert red.channels == (Channel.SMS, Channel.BROADCAST, Channel.PARTY)
    assert red.retry_s == (0, 1, 3, 10, 30)
    assert red.then_every_s == 60
    assert red.resend_unknown


# ── faults, named with file and line ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "key", "misspelt"),
    [
        ("service", "profile:", "profil:"),
        ("sources", "trusted:", "trustet:"),
        ("hazards", "validity_hours:", "validity_hour:"),
        ("policy", "receipt_deadline_s:", "receipt_deadline:"),
        ("wording", "max_segments:", "max_segment:"),
        ("lint", "drill_panic:", "drill_panick:"),
        ("lint", "unless:", "except:"),
    ],
)
def test_a_misspelt_key_stops_the_start_and_names_file_and_line(
    change: Change, name: str, key: str, misspelt: str
) -> None:
    folder = change(name, key, misspelt)
    line = line_of(folder / f"{name}.yaml", misspelt)
    said = refusal(folder)
    assert f"{name}.yaml:{line}: " in said
    assert misspelt.rstrip(":") in said
    assert "拼错" in said


def test_an_empty_word_that_would_stand_everywhere_stops_the_start(change: Change) -> None:
    folder = change("lint", "words: [演练,", 'words: ["", 演练,')
    line = line_of(folder / "lint.yaml", '["", 演练')
    assert refusal(folder) == f"lint.yaml:{line}: says_drill.words.0: 不能为空"


def test_all_faults_are_named_at_once(change: Change) -> None:
    change("policy", "quiet_from_hour: 22", "quiet_from_hour: 30")
    said = refusal(change("wording", "max_segments: 5", "max_segments: many"))
    assert "policy.yaml" in said
    assert "wording.yaml" in said
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("policy", "channels: [sms, broadcast, party]", "channels: [sms, fax]"),
        ("policy", "retry_s: [0, 1, 3, 10, 30]", "retry_s: soon"),
        ("service", "profile: test", "profile: testing"),
        ("sources", 'area_prefixes: ["360800"]', 'area_prefix: ["360800"]'),
        ("hazards", "name: 台风", "title: 台风"),
        ("channels", "  sms:", "  telegraph:"),
        ("lint", "segments: 3", "segments: 0"),
    ],
)
def test_a_value_of_the_wrong_kind_stops_the_start(change: Change, name: str, old: str, new: str) -> None:
    assert refusal(change(name, old, new)).startswith(f"{name}.yaml:")


def test_a_key_written_twice_stops_the_start(change: Change) -> None:
    folder = change("service", "profile: test", "profile: test\ncity: '361000'\nprofile: production")
    line = line_of(folder / "service.yaml", "profile: production")
    assert f"service.yaml:{line}: profile 写了两次" in refusal(folder)


def test_a_missing_file_stops_the_start_and_is_named(change: Change) -> None:
    folder = change("policy", "levels:", "levels:")
    (folder / "policy.yaml").unlink()
    assert "policy.yaml" in refusal(folder)


def test_a_folder_that_is_older_than_the_lint_looks_for_the_words_as_shipped(change: Change) -> None:
    """A lint never keeps a warning back, and a missing list of words not the service either."""
    folder = change("lint", "headline: 60", "headline: 40")
    assert loaded(folder).lint.headline == 40
    (folder / "lint.yaml").unlink()
    assert loaded(folder).lint == load({}).lint


def test_a_file_that_is_no_yaml_stops_the_start_and_is_named(change: Change) -> None:
    assert "policy.yaml" in refusal(change("policy", "levels:", "levels: ["))


@pytest.mark.parametrize("content", ["- a\n- b\n", "just text\n", ""])
def test_a_file_that_is_no_mapping_stops_the_start_and_is_named(change: Change, content: str) -> None:
    folder = change("policy", "levels:", "levels:")
    (folder / "policy.yaml").write_text(content, encoding="utf-8")
    assert "policy.yaml:1" in refusal(folder, MINGLUO_POLICY__QUIET_FROM_HOUR="21")


def test_a_level_without_policy_or_wording_stops_the_start(change: Change) -> None:
    folder = change("policy", "levels:", "levels:")
    text = (folder / "policy.yaml").read_text(encoding="utf-8")
    blue = text[text.index("  blue:") : text.index("quiet_from_hour")]
    (folder / "policy.yaml").write_text(text.replace(blue, ""), encoding="utf-8")
    assert "policy.yaml: levels 缺少 blue（蓝色）" in refusal(folder)


def test_a_template_with_an_unknown_field_stops_the_start(change: Change) -> None:
    settings = loaded(change("wording", "{sender}{time}发布", "{sender}{when}发布"))
    with pytest.raises(BadConfiguration, match=r"wording\.yaml.*when"):
        check_wording(settings.wording)


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("sources", "token: ${MINGLUO_TOKEN_CITY_WEATHER}", "token: hunter2"),
        ("sources", "secret: ${MINGLUO_SECRET_CITY_WEATHER}", "secret: hunter2"),
        ("service", "seal_key: ${MINGLUO_SEAL_KEY}", f"seal_key: {KEY}"),
        ("channels", "auth_token: ${MINGLUO_TWILIO_AUTH_TOKEN}", "auth_token: hunter2"),
        ("channels", "access_key_secret: ${MINGLUO_ALIYUN_ACCESS_KEY_SECRET}", "access_key_secret: hunter2"),
        ("channels", "callback_token: ${MINGLUO_ALIYUN_CALLBACK_TOKEN}", "callback_token: hunter2"),
        ("channels", "secret: ${MINGLUO_EBM_SECRET}", "secret: hunter2"),
    ],
)
def test_a_secret_written_in_a_file_stops_the_start_and_is_not_repeated(
    change: Change, name: str, old: str, new: str
) -> None:
    folder = change(name, old, new)
    said = refusal(folder)
    assert f"{name}.yaml:{line_of(folder / f'{name}.yaml', new)}: " in said
    assert "环境变量" in said
    assert new.split(": ")[1] not in said


def test_a_secret_comes_from_the_environment_by_the_name_in_the_file() -> None:
    settings = load({"MINGLUO_TOKEN_CITY_WEATHER": "t", "MINGLUO_TWILIO_AUTH_TOKEN": "a"})
    token = settings.sources["city-weather"].token
    assert token is not None
    assert token.get_secret_value() == "t"
    assert settings.channels[Channel.SMS]["twilio"]["auth_token"] == "a"


def test_the_sealing_key_comes_from_the_environment() -> None:
    key = load({"MINGLUO_SEAL_KEY": KEY}).service.seal_key
    assert key is not None
    assert key.get_secret_value() == KEY


def test_a_secret_may_be_set_by_the_path_of_its_key() -> None:
    settings = load({"MINGLUO_CHANNELS__SMS__TWILIO__AUTH_TOKEN": "a"})
    assert settings.channels[Channel.SMS]["twilio"]["auth_token"] == "a"


def test_settings_that_are_printed_show_no_secret() -> None:
    settings = load({"MINGLUO_TOKEN_CITY_WEATHER": "hunter2", "MINGLUO_SECRET_CITY_WEATHER": "hunter3"})
    assert "hunter" not in repr(settings.sources)
    assert "hunter" not in repr(settings.service)


def test_an_empty_variable_counts_as_unset_and_a_default_stands_in(change: Change) -> None:
    folder = change("service", 'node: ""', "node: ${MINGLUO_NODE_NAME:-node-7}")
    assert loaded(folder).service.node == "node-7"
    assert loaded(folder, MINGLUO_NODE_NAME="").service.node == "node-7"
    assert loaded(folder, MINGLUO_NODE_NAME="node-3").service.node == "node-3"


# ── the environment over the files ──────────────────────────────────────────────────────────────────────────────────


def test_a_provider_is_sent_elsewhere_by_one_variable() -> None:
    settings = load({"MINGLUO_CHANNELS__SMS__TWILIO__BASE_URL": "http://127.0.0.1:5001"})
    assert settings.channels[Channel.SMS]["twilio"]["base_url"] == "http://127.0.0.1:5001"


def test_every_key_of_the_service_is_set_by_one_variable() -> None:
    settings = load(
        {"MINGLUO_LISTEN": "0.0.0.0:8080", "MINGLUO_BROKER_URL": "amqp://localhost/", "MINGLUO_CITY": "0360"}
    )
    assert settings.service.listen == "0.0.0.0:8080"
    assert settings.service.broker_url == "amqp://localhost/"
    assert settings.service.city == "0360", "an all-digit code keeps its zeros"


def test_numbers_truths_and_lists_are_read_as_such() -> None:
    settings = load(
        {
            "MINGLUO_SOURCES__DRILL__DRILL_ONLY": "false",
            "MINGLUO_SOURCES__DRILL__DOORS": "[cli]",
            "MINGLUO_MAX_BODY_BYTES": "1000",
        }
    )
    assert settings.sources["drill"].drill_only is False
    assert settings.sources["drill"].doors == ("cli",)
    assert settings.service.max_body_bytes == 1000


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MINGLUO_POLICY__QUIET_FROM_HOUR", "21"),
        ("MINGLUO_POLICY__LEVELS__RED__THEN_EVERY_S", "30"),
        ("MINGLUO_WORDING__SIGNATURE", "遂川应急"),
        ("MINGLUO_SERVICE__LISTEN", "127.0.0.1:9000"),
    ],
)
def test_a_variable_reaches_the_file_that_it_names(variable: str, value: str) -> None:
    settings = load({variable: value})
    file, *path = variable.removeprefix("MINGLUO_").lower().split("__")
    found: object = getattr(settings, file).model_dump(mode="json")
    for key in path:
        assert isinstance(found, dict)
        found = found[key]
    assert str(found).removesuffix(".0") == value


def test_a_misspelt_variable_that_names_a_file_stops_the_start() -> None:
    with pytest.raises(BadConfiguration, match="sources"):
        load({"MINGLUO_SOURCES__DRILL__TRUSTET": "true"})


def test_a_variable_that_goes_through_a_single_value_stops_the_start() -> None:
    with pytest.raises(BadConfiguration, match="MINGLUO_SOURCES__DRILL__NAME__FIRST"):
        load({"MINGLUO_SOURCES__DRILL__NAME__FIRST": "x"})


def test_variables_of_other_programs_are_left_alone() -> None:
    assert load({"MINGLUO_SERVICES": "off", "MINGLUO_THEIR_OWN": "x", "PATH": "/bin"}) == load({})


# ── where things lie ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_relative_database_stands_under_the_home_and_not_where_one_happens_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load({}).service.database_url == f"sqlite+aiosqlite:///{PROJECT}/var/mingluo.db"
    elsewhere = load({"MINGLUO_HOME": str(tmp_path), "MINGLUO_CONFIG": str(PROJECT / "config")})
    assert elsewhere.service.database_url == f"sqlite+aiosqlite:///{tmp_path}/var/mingluo.db"


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:////srv/m.db", "postgresql+asyncpg://m@db/m", "sqlite+aiosqlite://"])
def test_an_absolute_address_stays_as_it_is(url: str) -> None:
    assert load({"MINGLUO_DATABASE_URL": url}).service.database_url == url


def test_a_relative_configuration_folder_stands_under_the_home(change: Change) -> None:
    folder = change("service", 'node: ""', "node: node-9")
    assert load({"MINGLUO_HOME": str(folder.parent), "MINGLUO_CONFIG": "config"}).service.node == "node-9"
    assert load({"MINGLUO_HOME": str(folder.parent)}).service.node == "node-9"


# ── what may not stand together ─────────────────────────────────────────────────────────────────────────────────────


def test_in_production_a_trusted_source_must_be_signed(change: Change) -> None:
    folder = change("service", "profile: test", "profile: production")
    assert "city-weather" in refusal(folder)
    assert "signed" in refusal(folder)


def test_a_signed_source_needs_its_secret(change: Change) -> None:
    folder = change("sources", "trusted: true", "trusted: true\n    signed: true")
    assert "secret" in refusal(folder)
    assert loaded(folder, MINGLUO_SECRET_CITY_WEATHER="whsec_" + "MfKQ" * 8).sources["city-weather"].signed


def test_production_starts_only_with_signed_sources_and_a_sealing_key(change: Change) -> None:
    change("sources", "trusted: true", "trusted: true\n    signed: true")
    change("sources", "    trusted: true\n    drill_only", "    drill_only")
    folder = change("service", "profile: test", "profile: production")
    secret = {"MINGLUO_SECRET_CITY_WEATHER": "whsec_" + "MfKQ" * 8}
    users = {"MINGLUO_AMQP_USER_COUNTY_WEATHER": "county", "MINGLUO_AMQP_USER_DRILL": "drill"}
    assert "seal_key" in refusal(folder, **secret, **users)
    assert loaded(folder, **secret, **users, MINGLUO_SEAL_KEY=KEY).production


def test_in_production_whoever_comes_over_amqp_is_signed_or_bound_to_a_user(change: Change) -> None:
    folder = change("service", "profile: test", "profile: production")
    said = refusal(folder, MINGLUO_SEAL_KEY=KEY)
    assert "county-weather" in said
    assert "amqp_user" in said
    users = {"MINGLUO_AMQP_USER_COUNTY_WEATHER": "county", "MINGLUO_AMQP_USER_DRILL": "drill"}
    assert "county-weather" not in refusal(folder, MINGLUO_SEAL_KEY=KEY, **users)


# ── upstream feeds ──────────────────────────────────────────────────────────────────────────────────────────────────

FEED = """
  province:
    name: 省预警发布中心
    doors: [feed]
    area_prefixes: ["360800"]
    senders: ["36000041600000"]
    feed: {url: "https://up.example/cap.atom", hosts: [up.example]}
"""


@pytest.fixture
def fed(tmp_path: Path) -> Callable[..., Settings]:
    """`fed((old, new), …)`: only this upstream, with these differences; `production` as it must be for that."""
    folder = tmp_path / "config"
    shutil.copytree(PROJECT / "config", folder, ignore=shutil.ignore_patterns("jian"))

    def make(*changes: tuple[str, str], production: bool = True) -> Settings:
        text = f"sources:{FEED}"
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (folder / "sources.yaml").write_text(text, encoding="utf-8")
        profile = {"MINGLUO_PROFILE": "production", "MINGLUO_SEAL_KEY": KEY} if production else {}
        return loaded(folder, **profile)

    return make


TRUSTED = ("    senders", "    trusted: true\n    senders")


def test_a_feed_has_modest_habits_unless_told_and_may_be_asked_at_its_own_host(fed: Callable[..., Settings]) -> None:
    feed = fed((", hosts: [up.example]", "")).sources["province"].feed
    assert feed is not None
    assert (feed.every_s, feed.timeout_s, feed.max_entries, feed.only) == (60, 10, 200, ())
    assert feed.pinned == {"up.example"}


def test_a_trusted_feed_names_its_hosts_and_senders_and_has_no_other_door(fed: Callable[..., Settings]) -> None:
    assert fed(TRUSTED).sources["province"].trusted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([TRUSTED, ("doors: [feed]", "doors: [feed, http]")], "只能有 feed"),
        ([TRUSTED, (", hosts: [up.example]", "")], "feed.hosts: [up.example]"),
        ([TRUSTED, ("hosts: [up.example]", "hosts: [example]")], "feed.hosts: [up.example]"),
        ([TRUSTED, ('["36000041600000"]', "[]")], "senders"),
        ([("https://up", "http://up")], "必须是 https"),
        ([("up.example/", "127.0.0.1/")], "不能指向本机"),
        ([("up.example/", "localhost:8443/")], "不能指向本机"),
        ([("up.example/", "[::1]/")], "不能指向本机"),
    ],
)
def test_in_production_a_feed_that_proves_nothing_stops_the_start(
    fed: Callable[..., Settings], changes: list[tuple[str, str]], said: str
) -> None:
    with pytest.raises(BadConfiguration) as refused:
        fed(*changes)
    assert said in str(refused.value)
    assert "sources.yaml: province" in str(refused.value)
    fed(*changes, production=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("doors: [feed]", "doors: [http]"), "doors: \\[feed\\]"),
        (("doors: [feed]", "doors: [feed]\n    signed: true"), "不带签名"),
        (("    feed:", "    # feed:"), "feed: {url: …}"),
        (("https://up.example/cap.atom", "cap.atom"), "https://主机"),
        (("https://up.example/cap.atom", "ftp://up.example/cap.atom"), "https://主机"),
        (("https://up.example/cap.atom", "https://[up"), "https://主机"),
        (("hosts:", "every_s: 0, hosts:"), "every_s"),
        (("hosts:", "timeout_s: 600, hosts:"), "timeout_s"),
        (("hosts:", "host:"), "拼错"),
    ],
)
def test_a_feed_that_contradicts_itself_stops_the_start(
    fed: Callable[..., Settings], change: tuple[str, str], said: str
) -> None:
    with pytest.raises(BadConfiguration, match=said):
        fed(change, production=False)


def test_no_source_is_called_as_the_console_is(change: Change) -> None:
    assert "来源不能叫 console" in refusal(change("sources", "  county-weather:", "  console:"))


def test_who_signs_what_and_when_he_is_paged_is_policy(change: Change) -> None:
    shipped, other = load({}).policy.approval, loaded(change("policy", "every_s: 120", "every_s: 90")).policy.approval
    assert (shipped.of("red").alternate_s, shipped.of("red").every_s, shipped.of("orange").every_s) == (60, 120, 300)
    assert [level for level in Level if shipped.of(level).leader and shipped.of(level).reason] == [
        Level.RED,
        Level.ORANGE,
    ]
    assert other.of("red").every_s == 90
    assert "alternate_m" in refusal(change("policy", "alternate_s: 60", "alternate_m: 1"))
