"""What fits: the headline, the parts of an SMS and what is cut off, the seconds of a loudspeaker; and addresses of the web."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from dispatcher.linting.remark import Remark, Rule, Said, note, short, warn
from dispatcher.linting.speaking import Spoken, named
from dispatcher.model import Channel

_BORROWED = "\u00df-\u00f6\u00f8-\u058f"
"""Letters of Europe that pass for Latin ones."""
_URL = re.compile(
    r"https?://[^\s\u4e00-\u9fff，。；！）】)]*|www\.[a-z0-9-]+[^\s\u4e00-\u9fff，。；！）】)]*|"
    rf"(?<![\w@.-])(?:[a-z0-9{_BORROWED}-]+\.)+(?:com|cn|net|org|gov|cc|top|xyz|info|ltd|link|ly)(?![\w-])[/\w.?=&%-]*",
    re.IGNORECASE | re.ASCII,
)
_STOPS = str.maketrans("。｡", "..")


def check(said: Said) -> Iterator[Remark]:
    yield from _headline(said)
    messages = [text for text in said.texts if text.channel is Channel.SMS]
    yield from _cut(messages)
    yield from _segments(said, messages)
    yield from _seconds(said)
    yield from _url(said, messages)


def _headline(said: Said) -> Iterator[Remark]:
    headline, most = said.message.headline, said.rules.headline
    if len(headline) > most:
        yield warn(
            Rule.HEADLINE,
            "headline",
            headline,
            f"标题有 {len(headline)} 个字，超过 {most} 个：请只留谁、发布什么、什么级别",
        )
    elif not headline and said.issues:
        yield warn(Rule.HEADLINE, "headline", "", "没有标题，党建平台和页面上只剩正文：请写“谁发布什么预警”")


def _cut(messages: Sequence[Spoken]) -> Iterator[Remark]:
    if cut := [text for text in messages if text.text.lost]:
        worst = max(cut, key=lambda text: len(text.text.lost))
        lost = worst.text.lost.strip("，。；")
        yield warn(
            Rule.CUT,
            Channel.SMS,
            lost,
            f"{named(cut)}超过 {worst.text.segments} 条，末尾被截去，收到的人看不到：“{_ends(lost)}”。"
            "请缩短发布单位和灾种的写法",
        )


def _ends(lost: str) -> str:
    """The end of a text is what is to be done."""
    return lost if len(lost) <= 80 else f"{lost[:20]}……{lost[-56:]}"


def _segments(said: Said, messages: Sequence[Spoken]) -> Iterator[Remark]:
    long = [text for text in messages if not text.text.lost and text.text.segments > said.rules.segments]
    if long:
        most = max(long, key=lambda text: text.units)
        yield note(
            Rule.SEGMENTS,
            Channel.SMS,
            most.text.body,
            f"{named(long)}有 {most.units} 个字，按 {most.text.segments} 条计费：请尽量压到 {said.rules.segments} 条以内",
        )


def _seconds(said: Said) -> Iterator[Remark]:
    aloud = [text for text in said.texts if text.seconds(said.rules) > said.rules.seconds]
    if aloud:
        long = max(aloud, key=lambda text: text.seconds(said.rules))
        over = round((long.seconds(said.rules) - said.rules.seconds) * said.rules.characters_a_second)
        yield note(
            Rule.SECONDS,
            "description",
            f"{len(said.told.strip())} 个字",
            f"{long.channel.chinese}念一遍约要 {long.seconds(said.rules)} 秒，听的人记不住：正文请减去约 {over} 个字",
        )


def _url(said: Said, messages: Sequence[Spoken]) -> Iterator[Remark]:
    carrying = [text for text in messages if address_in(text.whole)]
    if carrying:
        hit = address_in(carrying[0].whole)
        yield warn(
            Rule.URL,
            Channel.SMS,
            hit,
            f"{named(carrying)}里有网址“{short(hit)}”，运营商会整条拦下：请从发布单位和灾种里删去",
        )
    elif hit := address_in(said.whole):
        yield note(
            Rule.URL,
            "description",
            hit,
            f"文字里有网址“{short(hit)}”：大喇叭念不了，短信带不了，请改写成能听懂的话",
        )


def address_in(text: str) -> str:
    """The first address of the web, as it is written there; '' where there is none. Full-width and circled letters, other
    alphabets' look-alikes and 。 for a point lead to a page as well as plain ones do."""
    found = _URL.search(text) or _URL.search(_as_typed(text))
    return text[found.start() : found.end()] if found else ""


def _as_typed(text: str) -> str:
    """Letter by letter in its plain form, so that places stay the same."""
    if text.isascii():
        return text
    plain = (unicodedata.normalize("NFKC", letter) for letter in text)
    return "".join(one if len(one) == 1 else was for one, was in zip(plain, text, strict=True)).translate(_STOPS)
