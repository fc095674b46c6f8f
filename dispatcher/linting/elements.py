"""The five elements: source, hazard and impact, place, time, action.

Looked for where people meet them: in every text that goes out. What the issuer left out and a fixed text supplies is worth a
note, for others read the warning as it was issued.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dispatcher.linting.mixing import names_of
from dispatcher.linting.reading import any_of, found, is_chinese, without
from dispatcher.linting.remark import Remark, Rule, Said, note, short, warn
from dispatcher.linting.speaking import Spoken, named

_WHEN = re.compile(
    r"\d\s?(?:小时|分钟|时|点|日|天|号)|[一二三四五六七八九十两几半](?:个?小时|天|日内)|\d[:：]\d\d|[今明后当][天日晚晨早夜]|"
    r"凌晨|清晨|早晨|上午|中午|下午|傍晚|夜间|夜里|目前|正在|即将|马上|前半夜|后半夜|周[一二三四五六日末]"
)

_A_UNIT_ISSUES = re.compile(r"[局台站办厅委部心司府院校队所处](?:联合|继续)?(?:发布|变更|更新|升级|解除)")


def check(said: Said) -> Iterator[Remark]:
    if said.whole.strip() and not said.chinese:
        yield warn(Rule.LANGUAGE, "description", said.message.language, "文字不是中文，用词没有检查：请补上中文")
        return
    if said.message.retraction:
        return  # its words are fixed, and say that nothing is to be feared
    yield from _source(said)
    yield from _hazard(said)
    yield from _time(said)
    if said.issues:
        yield from _impact(said)
        yield from _place(said)
        yield from _action(said)
        yield from _vague_time(said)


def _lacking(said: Said, has: Callable[[Spoken], bool]) -> list[Spoken]:
    """One channel's texts at a time: the first that has any without it."""
    bare = [text for text in said.current if not has(text)]
    return [text for text in bare if text.channel is bare[0].channel]


def _source(said: Said) -> Iterator[Remark]:
    name, headline = said.message.sender_name or said.message.sender, said.message.headline
    if not is_chinese(name):
        sentence = f"没有写发布单位的中文名称，发出的文字里会写成“{short(name)}”：请写全称，如“吉安市气象台”"
        yield warn(Rule.SOURCE, "sender_name", name, sentence)
    elif bare := _lacking(said, lambda text: _names_a_unit(said, name, text.whole)):
        sentence = f"{named(bare)}里没有发布单位：请在标题里写“{short(name)}发布”"
        yield warn(Rule.SOURCE, bare[0].channel, headline, sentence)


def _names_a_unit(said: Said, name: str, text: str) -> bool:
    """In full, or short: 吉安市教体局发布."""
    return name in text or bool(found(said.rules.source, text)) or _A_UNIT_ISSUES.search(text) is not None


def _hazard(said: Said) -> Iterator[Remark]:
    names = names_of(said)
    if not names and said.issues:
        yield warn(Rule.HAZARD, "event", "", "没有写灾种：请写明是什么灾害，如“暴雨”")
    elif names and (bare := _lacking(said, lambda text: any(name in text.whole for name in names))):
        sentence = f"{named(bare)}里没有灾种：请在标题里写“{names[0]}”"
        yield warn(Rule.HAZARD, bare[0].channel, said.message.headline, sentence)


def _impact(said: Said) -> Iterator[Remark]:
    """What the warning is called tells nothing of it. A drill of a way out may well leave the danger to be imagined."""
    called = re.compile(f"(?:{any_of(names_of(said)).pattern})(?:[红橙黄蓝]色)?预警(?:信号)?")
    if not said.message.drill and not found(said.rules.impact, called.sub("", said.told)):
        yield warn(
            Rule.IMPACT,
            "description",
            said.message.description,
            "正文没有写有多重、会造成什么：请写明雨量、水位等强度，或可能引发的山洪、内涝等后果",
        )


def _place(said: Said) -> Iterator[Remark]:
    if bare := _lacking(said, lambda text: text.place in text.whole):
        sentence = f"{named(bare)}里没有地点：请管理员在发布文字的模板里加上地点"
        yield warn(Rule.PLACE, bare[0].channel, "", sentence)
    described = [area.description for area in said.message.areas if area.description.strip()]
    beyond_the_unit = said.whole.replace(said.message.sender_name or said.message.sender, "")
    if found(said.rules.place, beyond_the_unit) or any(_is_a_name(said, one) for one in described):
        return
    if vague := described[0] if described else found(said.rules.vague_place, beyond_the_unit):
        sentence = f"“{short(vague)}”不是地名，离开地图就不知道指哪里：请写出县、乡镇或村的名字"
        yield note(Rule.VAGUE_PLACE, "areas", vague, sentence)
    else:
        yield warn(Rule.PLACE, "areas", "", "没有写地点：请写出县、乡镇或村的名字")


def _is_a_name(said: Said, description: str) -> bool:
    return is_chinese(without(said.rules.vague_place, description))


def _time(said: Said) -> Iterator[Remark]:
    if bare := _lacking(said, lambda text: _WHEN.search(text.whole) is not None):
        sentence = f"{named(bare)}里没有时间：请管理员在发布文字的模板里加上时间和有效期"
        yield warn(Rule.TIME, bare[0].channel, "", sentence)
    if said.issues and said.message.expires is None:
        yield note(Rule.TIME, "expires", "", "没有写有效期，只能按惯例补一个：请写明到何时为止")


def _vague_time(said: Said) -> Iterator[Remark]:
    if (vague := found(said.rules.vague_time, said.told)) and not _WHEN.search(said.told):
        sentence = f"“{vague}”说不准是什么时候：请写出日期和钟点，或“未来 3 小时”"
        yield note(Rule.VAGUE_TIME, "description", vague, sentence)


def _action(said: Said) -> Iterator[Remark]:
    if bare := _lacking(said, lambda text: bool(found(said.rules.action, text.whole))):
        sentence = f"{named(bare)}里没有说该做什么：请在防御指引里写明要做的事"
        yield warn(Rule.ACTION, bare[0].channel, "", sentence)
    elif not found(said.rules.action, said.told):
        carried = "、".join(dict.fromkeys(text.channel.chinese for text in said.current))
        fixed = f"{carried}用的是本级别的固定措施" if carried else "也没有可发的文字"
        sentence = f"报文没有写该做什么，{fixed}：针对这次的措施请写进防御指引"
        yield note(Rule.ACTION, "instruction", "", sentence)
