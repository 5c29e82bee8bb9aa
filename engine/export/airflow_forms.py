"""Typed fields as Airflow's `Param`: the form of a checkpoint, the parameters of a DAG."""

from engine.export.python_text import Call
from engine.inputs import MAX_TEXT, is_certain
from engine.model import InputField, InputType

_TYPES = {
    InputType.TEXT: "string",
    InputType.NUMBER: "number",
    InputType.BOOLEAN: "boolean",
    InputType.CHOICE: "string",
    InputType.DATE: "string",
}


def dag_param(field: InputField) -> Call:
    """A parameter of the DAG; one that a run always has can be neither null nor blank."""
    return _param(field, may_be_empty=not is_certain(field))


def gate_param(field: InputField) -> Call:
    """A field of a checkpoint's form. Each may be empty: Airflow checks the form for a no, too."""
    return _param(field, may_be_empty=True)


def _param(field: InputField, *, may_be_empty: bool) -> Call:
    kind = _TYPES[field.type]
    named: dict[str, object] = {"type": ["null", kind] if may_be_empty else kind}
    named |= _bounds(field, may_be_empty=may_be_empty)
    if field.description:
        named["description"] = field.description
    has_default = may_be_empty or field.default is not None
    return Call("Param", (field.default,) if has_default else (), named)


def _bounds(field: InputField, *, may_be_empty: bool) -> dict[str, object]:
    match field.type:
        case InputType.TEXT:
            most = MAX_TEXT if field.maximum is None else min(field.maximum, MAX_TEXT)
            least = {"minLength": field.minimum} if field.minimum else {}
            visible = {} if may_be_empty else {"pattern": r"\S"}
            return {**least, "maxLength": most, **visible}
        case InputType.NUMBER:
            bounds = {"minimum": field.minimum, "maximum": field.maximum}
            return {key: bound for key, bound in bounds.items() if bound is not None}
        case InputType.CHOICE:
            return {"enum": [*field.options, *([None] if may_be_empty else [])]}
        case InputType.DATE:
            return {"format": "date"}
        case InputType.BOOLEAN:
            return {}
        case InputType.CHOICES | InputType.JSON:
            raise AssertionError(f"a DAG file has no field of type {field.type}")
