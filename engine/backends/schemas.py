"""A field of another engine's form, from the JSON Schema that describes it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.backends.standalone import Core, Schema, core_of, standing_alone
from engine.inputs import parse_value
from engine.json_schema import ASSERTING, misfit
from engine.json_values import Unfit, is_storable, uncarriable
from engine.model import InputField, InputType
from engine.schema_words import UNCHECKABLE, are_numbers, listed

_MOST_NAME = 100
_MOST_DESCRIPTION = 500
_SHOWN = frozenset({"examples", "values_display"})  # they refuse nothing, but are worth showing
_TEXT_TYPES = (None, "string")
_NUMBER_TYPES = (None, "integer", "number")


def field_of(
    name: str,
    schema: Mapping[str, Any],
    *,
    default: Any = None,
    description: str = "",
    required: bool = False,
    definitions: Mapping[str, Any] | None = None,
) -> InputField:
    """The field that this schema describes; what no field type says is kept in its `schema`.

    `default` is what the engine has now; one that does not fit is left out, and must be filled
    in where the engine would not take it either. References lead into `definitions`. Never
    raises: where a schema or name cannot be used, the field takes no value (`UNCHECKABLE`).
    """
    alone = standing_alone(schema, definitions)
    about = _words(description) or _told(name, alone or {})
    if alone is None or not _is_usable(name):
        shown = _words(name, _MOST_NAME) or "field"
        return _field(shown, about, required, _Shape(InputType.JSON), UNCHECKABLE)
    core = core_of(alone, alone)
    shape = _shape_of(core.schema, alone)
    required = required and not core.nullable
    field = _field(name, about, required, shape, _kept(alone, core, shape))
    given = alone.get("default") if default is None else default
    return field if given is None else _with_default(field, given, alone)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    minimum: float | None = None
    maximum: float | None = None
    options: tuple[str, ...] = ()


_NO_FACTS = _Facts()


@dataclass(frozen=True, slots=True)
class _Shape:
    """The type of a field, and the keywords that it says."""

    type: InputType
    said: frozenset[str] = frozenset()
    facts: _Facts = _NO_FACTS


def _field(
    name: str, about: str, required: bool, shape: _Shape, schema: Schema | None
) -> InputField:
    return InputField(
        name=name,
        type=shape.type,
        description=about,
        required=required,
        minimum=shape.facts.minimum,
        maximum=shape.facts.maximum,
        options=shape.facts.options,
        schema=schema,
    )


def _shape_of(core: Schema, root: Schema) -> _Shape:
    texts, numbers = _texts(core), _numbers(core)
    if texts or numbers:
        # What is chosen is a text; that a number is meant, only the schema tells.
        said = frozenset({"type", "enum", "const"} if texts else ())
        return _Shape(InputType.CHOICE, said, _Facts(options=texts or numbers))
    return _shape_by_type(core, root)


def _shape_by_type(core: Schema, root: Schema) -> _Shape:
    match core.get("type"):
        case "string" if core.get("format") == "date":
            return _Shape(InputType.DATE, frozenset({"type", "format"}))
        case "string":
            return _bounded(InputType.TEXT, core, "minLength", "maxLength")
        case "number" | "integer":
            return _bounded(InputType.NUMBER, core, "minimum", "maximum")
        case "boolean":
            return _Shape(InputType.BOOLEAN, frozenset({"type"}))
        case "array":
            return _several(core, root)
        case _:
            return _Shape(InputType.JSON)


def _bounded(kind: InputType, core: Schema, least: str, most: str) -> _Shape:
    facts = _Facts(minimum=core.get(least), maximum=core.get(most))
    said = {least, most} if core.get("type") == "integer" else {"type", least, most}
    return _Shape(kind, frozenset(said), facts)


def _several(core: Schema, root: Schema) -> _Shape:
    items = core.get("items")
    inner = core_of(items, root) if isinstance(items, Mapping) else Core({}, nullable=False)
    texts = () if inner.nullable else _texts(inner.schema)
    if not texts:
        return _Shape(InputType.JSON)
    more = ASSERTING.intersection(inner.schema) - {"type", "enum", "const"}
    said = frozenset({"type", "uniqueItems"} if more else {"type", "uniqueItems", "items"})
    return _Shape(InputType.CHOICES, said, _Facts(options=texts))


def _texts(core: Schema) -> tuple[str, ...]:
    """The options, where all are texts that can be told from each other and from nothing."""
    options = listed(core)
    fine = all(isinstance(option, str) and option.strip() for option in options)
    if not fine or core.get("type") not in _TEXT_TYPES or len(set(options)) < len(options):
        return ()
    return tuple(options)


def _numbers(core: Schema) -> tuple[str, ...]:
    options = listed(core)
    if (
        not are_numbers(options)
        or core.get("type") not in _NUMBER_TYPES
        or len(set(options)) < len(options)
    ):
        return ()
    return tuple(map(str, options))


def _kept(alone: Schema, core: Core, shape: _Shape) -> Schema | None:
    """The schema that a value must meet besides; None where the field says all of it."""
    whole = alone if shape.type is InputType.JSON else core.schema
    unsaid = ASSERTING.intersection(whole) - shape.said
    return dict(whole) if unsaid or _SHOWN.intersection(whole) else None


def _with_default(field: InputField, given: Any, schema: Schema) -> InputField:
    if uncarriable(given) is not None:
        return field
    fitting = given if field.type is InputType.JSON else parse_value(field, given)
    if isinstance(fitting, Unfit) or misfit(schema, fitting) is not None:
        # It may be too much for us and fine over there: then it stays there as it is.
        return replace(field, required=field.required or misfit(schema, given) is not None)
    return field if fitting == "" else replace(field, default=fitting)


def _is_usable(name: str) -> bool:
    return 0 < len(name) <= _MOST_NAME and is_storable(name) and not name.startswith("__")


def _told(name: str, schema: Schema) -> str:
    if description := _words(schema.get("description")):
        return description
    title = _words(schema.get("title"))
    made_of_name = title.lower() == name.replace("_", " ").lower()  # as some libraries do
    return "" if made_of_name else title


def _words(text: object, most: int = _MOST_DESCRIPTION) -> str:
    """A text to show, cut; nothing where it is none."""
    if not isinstance(text, str) or not is_storable(text):
        return ""
    return text.strip()[:most]
