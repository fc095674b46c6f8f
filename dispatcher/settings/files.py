"""A YAML file with the line of every key, so that a fault can be pointed at."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

_SECRETS = ("secret", "token", "seal_key", "auth_token", "access_key_secret", "callback_token")
_VARIABLE = re.compile(r"^\$\{([A-Z][A-Z0-9_]*)(?::-(.*))?\}$")
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Libyaml's where PyYAML was built with it: every command reads the configuration, and it does so in a tenth of the time."""
_M = TypeVar("_M", bound=BaseModel)


class BadConfiguration(Exception):
    """Says file, line, key and what to do. The start is refused."""


@dataclass(slots=True)
class File:
    """One of them, read and not judged yet."""

    path: Path
    data: Any
    lines: dict[tuple[str | int, ...], int]

    @staticmethod
    def read(path: Path, *, optional: bool = False) -> File:
        try:
            text = path.read_text(encoding="utf-8") if path.exists() or not optional else ""
        except OSError as error:
            raise BadConfiguration(
                f"{path}: 读不到（{error.strerror}）：配置文件夹由 MINGLUO_CONFIG 指定，默认是 MINGLUO_HOME 下的 config"
            ) from error
        try:
            node = yaml.compose(text, Loader=_LOADER)
        except yaml.YAMLError as error:
            raise BadConfiguration(f"{path}: 不是合法的 YAML：{error}") from error
        lines: dict[tuple[str | int, ...], int] = {}
        data = _walk(node, (), lines, path) if node is not None else {}
        return File(path=path, data=data, lines=lines)

    def where(self, key: tuple[str | int, ...]) -> str:
        while key and key not in self.lines:
            key = key[:-1]
        return f"{self.path.name}:{self.lines.get(key, 1)}"

    def fault(self, key: tuple[str | int, ...], words: str) -> str:
        return f"{self.where(key)}: {'.'.join(map(str, key))}: {words}"

    def expand(self, env: Mapping[str, str], faults: list[str]) -> None:
        """Replaces `${NAME}` and `${NAME:-default}` by the environment's value; an unset one without default is None."""

        def walk(value: Any, key: tuple[str | int, ...]) -> Any:
            if isinstance(value, dict):
                return {name: walk(inner, (*key, name)) for name, inner in value.items()}
            if isinstance(value, list):
                return [walk(inner, (*key, no)) for no, inner in enumerate(value)]
            if isinstance(value, str) and (found := _VARIABLE.match(value)):
                return env.get(found[1]) or found[2] or None
            if isinstance(value, str) and key and str(key[-1]) in _SECRETS and key in self.lines:
                faults.append(f"{self.where(key)}: {'.'.join(map(str, key))} 不能写在文件里，只能写成 ${{环境变量名}}")
            return value

        self.data = walk(self.data, ())

    def check(self, model: type[_M], faults: list[str]) -> _M | None:
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            for fault in error.errors():
                key = tuple(part for part in fault["loc"])
                faults.append(self.fault(key, _chinese(fault["type"], fault["msg"])))
            return None


def document(path: Path, model: type[_M]) -> tuple[_M, Callable[[tuple[str | int, ...]], str]]:
    """Another YAML file of the house, judged as these are; and where a key stands in it, for what is found later."""
    file, faults = File.read(path), list[str]()
    found = file.check(model, faults)
    if found is None:
        raise BadConfiguration("\n".join(faults))
    return found, file.where


def _chinese(kind: str, message: str) -> str:
    known = {
        "extra_forbidden": "没有这个设置项（是不是拼错了？）",
        "missing": "缺少这一项",
        "string_too_short": "不能为空",
        "ip_any_network": "应为地址或网段，如 127.0.0.1 或 10.1.0.0/16",
    }
    return known.get(kind, message.removeprefix("Value error, "))


def _walk(node: yaml.Node, key: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], path: Path) -> Any:
    lines[key] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = str(name_node.value)
            if name in found:
                raise BadConfiguration(f"{path.name}:{name_node.start_mark.line + 1}: {name} 写了两次")
            found[name] = _walk(value_node, (*key, name), lines, path)
            lines[(*key, name)] = name_node.start_mark.line + 1
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_walk(item, (*key, no), lines, path) for no, item in enumerate(node.value)]
    try:
        return yaml.SafeLoader("").construct_object(node)
    except yaml.YAMLError as error:
        raise BadConfiguration(f"{path.name}:{lines[key]}: 不认识的类型标记 {node.tag}，请去掉") from error
