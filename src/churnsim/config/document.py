"""A reference of every key of a settings model, in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from churnsim.config.base import Settings
from churnsim.config.messages import one_of
from churnsim.config.schema import Schema, alternatives, choices, json_schema, named_values, resolve

_BOUNDS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "multiple of {}",
    "minItems": "at least {} item(s)",
    "maxItems": "at most {} item(s)",
    "minProperties": "at least {} key(s)",
    "maxProperties": "at most {} key(s)",
    "minLength": "at least {} character(s)",
    "maxLength": "at most {} character(s)",
    "pattern": "matches `{}`",
}
_TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}


def reference_markdown(model: type[Settings]) -> str:
    """Describe every key of a model: a heading and a table for each section, outer sections first.

    A table has a row per key with its dotted path, type, default, bounds and docstring. ``offers.<name>``
    stands for any name in a mapping, ``policies[]`` for any item of a list, and ``effect (kind: discount)``
    for one of several tagged models.

    Returns
    -------
    str
        Markdown that ends with a newline.
    """
    schema = json_schema(model)
    return "\n".join(_section(schema["title"], "", schema, schema, ()))


def _section(
    title: str, prefix: str, node: Schema, root: Schema, holders: tuple[Schema, ...]
) -> Iterator[str]:
    """Yield the lines of one model, then those of the models in it."""
    level = "#" * min(len(holders) + 1, 4)
    yield f"{level} {title}\n"
    if "description" in node:
        yield f"{node['description']}\n"
    properties: dict[str, Schema] = node.get("properties", {})
    if properties:
        yield "| key | type | default | bounds | meaning |\n|---|---|---|---|---|"
        for key, child in properties.items():
            yield _row(prefix + key, resolve(child, root), root, is_required=key in node.get("required", ()))
        yield ""
    for key, child in properties.items():
        for path, tag, inner in _models(prefix + key, child, root):
            # A model that holds itself is described once, where it first stands.
            if inner["properties"] not in [holder["properties"] for holder in (*holders, node)]:
                yield from _section(f"`{path}`{tag}", f"{path}.", inner, root, (*holders, node))


def _row(path: str, node: Schema, root: Schema, *, is_required: bool) -> str:
    has_models = any(_models(path, node, root))
    default = "required" if is_required else _default(node, has_models=has_models)
    cells = (
        f"`{path}`",
        _type(node, root),
        default,
        ", ".join(dict.fromkeys(_bounds(node, root))),
        " ".join(str(node.get("description", "")).split()),
    )
    escaped = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def _default(node: Schema, *, has_models: bool) -> str:
    default = node.get("default")
    if has_models and default and isinstance(default, (dict, list)):
        return "see below"
    if "default" not in node:
        return ""
    return f"`{json.dumps(node['default'], ensure_ascii=False)}`"


def _models(path: str, node: Schema, root: Schema) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the path, the tag (empty if there is one model only) and the schema of every model in a value."""
    # Only the reference: what stands beside it describes the key, and has been said in the key's row.
    options = list(alternatives({"$ref": node["$ref"]} if "$ref" in node else node, root))
    models = [option for option in options if "properties" in option]
    for option in options:
        if "properties" in option:
            yield path, _tag(option) if len(models) > 1 else "", option
        for values in named_values(option):
            yield from _models(f"{path}.<name>", values, root)
        if "items" in option:
            yield from _models(f"{path}[]", option["items"], root)


def _tag(option: Schema) -> str:
    for key, child in option["properties"].items():
        if "const" in child:
            return f" ({key}: {child['const']})"
    return f" ({option['title']})"


def _type(node: Schema, root: Schema) -> str:
    """Name the type of a value in words."""
    return " or ".join(dict.fromkeys(_type_of_one(option, root) for option in alternatives(node, root)))


def _type_of_one(option: Schema, root: Schema) -> str:
    if listed := choices(option):
        return one_of(listed)
    kind = option.get("type")
    if kind == "null":
        return "null"
    if "properties" in option:
        return "section"
    if kind == "object":
        types = dict.fromkeys(_type(values, root) for values in named_values(option))
        return f"mapping of name to {' or '.join(types)}" if types else "mapping"
    if "prefixItems" in option:
        return f"list of ({', '.join(_type(item, root) for item in option['prefixItems'])})"
    if kind == "array":
        return f"list of {_type(option['items'], root)}" if "items" in option else "list"
    return _TYPES.get(str(kind), "any value")


def _bounds(node: Schema, root: Schema) -> Iterator[str]:
    """Yield the bounds of a value and, if it is a list or a mapping of scalars, of what it holds."""
    for option in alternatives(node, root):
        fixed = option.get("prefixItems", ())
        for key, text in _BOUNDS.items():
            if key in option and not (fixed and key in ("minItems", "maxItems")):
                yield text.format(_plain(option[key]))
        items = [option["items"]] if "items" in option else []
        for item in (*fixed, *items, *named_values(option)):
            yield from (f"each {text}" for text in _bounds(item, root))


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
