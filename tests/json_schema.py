"""A JSON Schema 2020-12 read by its own words, for the keywords that our schema uses; it knows nothing of the reader.

A keyword it does not know is an error: what is not looked at would count as held.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

ABOUT = {"$schema", "$id", "$defs", "title", "description", "default", "examples", "format"}
"""Say something and forbid nothing."""
TYPES = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def problems(schema: dict[str, Any], value: Any) -> list[str]:
    return list(_against(schema, schema, value, ""))


def keywords(schema: Any) -> set[str]:
    """Every keyword of a schema, wherever it stands."""
    found: set[str] = set()
    for name, inner in schema.items():
        found.add(name)
        match name:
            case "$defs" | "properties":
                found |= set().union(*map(keywords, inner.values()))
            case "items" | "if" | "then":
                found |= keywords(inner)
            case "prefixItems" | "anyOf" | "allOf":
                found |= set().union(*map(keywords, inner))
    return found


def _against(root: dict[str, Any], schema: dict[str, Any], value: Any, at: str) -> Iterator[str]:
    for name, asked in schema.items():
        match name:
            case "$ref":
                yield from _against(root, root["$defs"][asked.removeprefix("#/$defs/")], value, at)
            case "allOf":
                for one in asked:
                    yield from _against(root, one, value, at)
            case "anyOf":
                if not any(_fits(root, one, value) for one in asked):
                    yield f"{at}: fits none"
            case "if":
                if _fits(root, asked, value):
                    yield from _against(root, schema["then"], value, at)
            case "then":
                pass
            case "properties" | "items" | "prefixItems":
                yield from _inside(root, schema, name, value, at)
            case _ if name not in ABOUT and not KEYWORDS[name](asked, value, schema):
                yield f"{at}: {name} {asked!r:.60} but {value!r:.60}"


def _fits(root: dict[str, Any], schema: dict[str, Any], value: Any) -> bool:
    return not any(_against(root, schema, value, ""))


def _inside(root: dict[str, Any], schema: dict[str, Any], name: str, value: Any, at: str) -> Iterator[str]:
    asked, ours = schema[name], "object" if name == "properties" else "array"
    if not TYPES[ours](value):
        return
    match name:
        case "properties":
            pairs = [(key, one, value[key]) for key, one in asked.items() if key in value]
        case "items":
            pairs = [(str(number), asked, one) for number, one in enumerate(value)]
        case _:
            pairs = [(str(number), *both) for number, both in enumerate(zip(asked, value, strict=False))]
    for key, inner, one in pairs:
        yield from _against(root, inner, one, f"{at}/{key}")


def _of(kind: str, holds: Any) -> Any:
    """A keyword speaks of one type alone; any other value passes it."""
    return lambda asked, value, schema: not TYPES[kind](value) or holds(asked, value, schema)


KEYWORDS = {
    "type": lambda asked, value, _: TYPES[asked](value),
    "enum": lambda asked, value, _: value in asked,
    "const": lambda asked, value, _: value == asked,
    "pattern": _of("string", lambda asked, value, _: re.search(re.sub(r"\$$", r"\\Z", asked), value) is not None),
    "minLength": _of("string", lambda asked, value, _: len(value) >= asked),
    "maxLength": _of("string", lambda asked, value, _: len(value) <= asked),
    "minimum": _of("number", lambda asked, value, _: value >= asked),
    "maximum": _of("number", lambda asked, value, _: value <= asked),
    "exclusiveMinimum": _of("number", lambda asked, value, _: value > asked),
    "minItems": _of("array", lambda asked, value, _: len(value) >= asked),
    "maxItems": _of("array", lambda asked, value, _: len(value) <= asked),
    "required": _of("object", lambda asked, value, _: set(asked) <= set(value)),
    "additionalProperties": _of(
        "object", lambda asked, value, schema: asked or set(value) <= set(schema["properties"])
    ),
}
