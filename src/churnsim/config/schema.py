"""JSON Schema of a settings model, for editors, for the reference and for error messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from churnsim.config.base import Settings
from churnsim.config.paths import KeyPath

Schema = Mapping[str, Any]


class _Generator(GenerateJsonSchema):
    """Shows the defaults that factories make, and leaves out titles that only repeat the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def get_default_value(self, schema: Any) -> Any:
        if "default_factory" in schema and not schema.get("default_factory_takes_data"):
            return schema["default_factory"]()
        return super().get_default_value(schema)


def json_schema(model: type[Settings]) -> dict[str, Any]:
    """Return the JSON Schema of a model; field docstrings become descriptions.

    Returns
    -------
    dict
        With ``$schema`` and ``title`` (the model's, or its class name) in front.
    """
    schema = model.model_json_schema(schema_generator=_Generator)
    # A model that holds itself is only a reference at the top.
    schema = resolve(schema, schema)
    return {"$schema": _Generator.schema_dialect, "title": schema.pop("title"), **schema}


def resolve(node: Schema, root: Schema) -> dict[str, Any]:
    """Follow a node's ``$ref`` into ``root``; what stands beside the reference (default, text) wins."""
    if "$ref" not in node:
        return dict(node)
    target = root
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    beside = {key: value for key, value in node.items() if key != "$ref"}
    return {**resolve(target, root), **beside}


def alternatives(node: Schema, root: Schema) -> Iterator[dict[str, Any]]:
    """Yield the members of a union, nested ones too; a node that is no union yields itself."""
    node = resolve(node, root)
    members = node.get("oneOf") or node.get("anyOf")
    if members is None:
        yield dict(node)
    else:
        for member in members:
            yield from alternatives(member, root)


def children(node: Schema, part: str | int) -> list[Schema]:
    """Return the schemas that a value under key or index ``part`` may have, unresolved."""
    if isinstance(part, int):
        fixed = node.get("prefixItems", ())
        return [fixed[part]] if part < len(fixed) else _present([node.get("items")])
    if part in node.get("properties", ()):
        return [node["properties"][part]]
    return named_values(node)


def named_values(node: Schema) -> list[Schema]:
    """Return the schemas of the values in a mapping whose keys the user names."""
    return _present([node.get("additionalProperties"), *node.get("patternProperties", {}).values()])


def at_path(root: Schema, path: KeyPath, data: Any) -> list[dict[str, Any]]:
    """Return the schemas, resolved, that the value at ``path`` may have.

    Parameters
    ----------
    root
        A JSON Schema.
    path
        Of the value; its last part need not exist in the data.
    data
        The top-level mapping: the tags in it choose among tagged models.
    """
    nodes = _chosen(root, root, data)
    for part in path:
        data = _child(data, part)
        below = [child for node in nodes for child in children(node, part)]
        nodes = [chosen for child in below for chosen in _chosen(child, root, data)]
    return nodes


def _chosen(node: Schema, root: Schema, data: Any) -> list[dict[str, Any]]:
    """Return the alternatives of a node; of tagged models only the one whose tag the data has."""
    result = list(alternatives(node, root))
    node = resolve(node, root)
    for union in (node, *node.get("anyOf", ())):
        tag_key = union.get("discriminator", {}).get("propertyName")
        if tag_key and isinstance(data, dict):
            tagged = [option for option in result if data.get(tag_key) in _tags(option, tag_key)]
            result = tagged or result
    return result


def _tags(option: Schema, tag_key: str) -> list[Any]:
    return choices(option.get("properties", {}).get(tag_key, {}))


def choices(node: Schema) -> list[Any]:
    """Return the values that a node allows if it lists them; empty if it does not."""
    return [node["const"]] if "const" in node else list(node.get("enum", ()))


def _child(data: Any, part: str | int) -> Any:
    if isinstance(part, str):
        return data.get(part) if isinstance(data, dict) else None
    return data[part] if isinstance(data, list) and part < len(data) else None


def _present(nodes: list[Any]) -> list[Schema]:
    return [node for node in nodes if isinstance(node, dict)]
