"""YAML whose lines are remembered, so that what is wrong in a file can be pointed at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

Path = tuple[str | int, ...]
"""Where in a document: the keys and indices that lead there."""


DEEPEST = 20


# Eight times as fast, which is felt with thousands of volumes; wheels of PyYAML have them
_FastLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FastDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_FastLoader):  # type: ignore[misc]
    """Numbers as YAML 1.2 has them: 1e-3 is one."""


class _Dumper(_FastDumper):  # type: ignore[misc]
    """Without anchors: the same list twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
_SHORT = {"value", "unit", "source", "t", "c"}  # a fact, or a place: on one line
_Dumper.add_representer(
    dict,
    lambda dumper, data: dumper.represent_mapping(
        "tag:yaml.org,2002:map", data, flow_style=not data or set(data) <= _SHORT
    ),
)
_Dumper.add_representer(
    list,
    lambda dumper, data: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", data, flow_style=not any(isinstance(item, list | dict | str) for item in data)
    ),
)


def parse(text: str, name: str) -> tuple[Any, dict[Path, int]]:
    """What ``text`` holds, and the line of each of its keys and items. ValueError, with the line, for what is no YAML."""
    lines: dict[Path, int] = {(): 1}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return (None if node is None else _construct(loader, node, (), lines, name)), lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = name if mark is None else f"{name}, line {mark.line + 1}"
        problem = getattr(error, "problem", None) or str(error)
        raise ValueError(f"{where}: this is no YAML ({problem}).") from None


def compose(data: Mapping[str, Any]) -> str:
    """``data`` as YAML, in its order."""
    text: str = yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _construct(loader: _Loader, node: yaml.Node, at: Path, lines: dict[Path, int], name: str) -> Any:
    if len(at) > DEEPEST:  # a list may even hold itself
        raise ValueError(
            f"{name}, line {node.start_mark.line + 1}: this is nested more than {DEEPEST} deep; no recipe is."
        )
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(loader.construct_object(key_node, deep=True))
            line = key_node.start_mark.line + 1
            if key in found:
                raise ValueError(
                    f"{name}, line {line}: {key} is there twice, on line {lines[(*at, key)]} too; keep one."
                )
            lines[(*at, key)] = line
            found[key] = _construct(loader, value_node, (*at, key), lines, name)
        return found
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines[(*at, index)] = item.start_mark.line + 1
            items.append(_construct(loader, item, (*at, index), lines, name))
        return items
    return loader.construct_object(node, deep=True)
