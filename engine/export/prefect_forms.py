"""Typed fields in Prefect: the parameters of a flow, and the form that answers a gate."""

from engine.dag import Gate, Task
from engine.export.literals import literal, quoted
from engine.inputs import MAX_TEXT
from engine.model import Choice, InputField, InputType, ReasonRule
from engine.policy import REASON_LIMIT


def flow_parameter(field: InputField) -> str:
    """A parameter of the flow: `name: type`, with its default unless it must be given."""
    if field.required and field.default is None:
        return f"{field.name}: {_type(field, filled=True)}"
    if field.default is None:
        return f"{field.name}: {_type(field)} | None = None"
    return f"{field.name}: {_type(field, filled=True)} = {_default(field)}"


def answer_form(task: Task, gate: Gate) -> str:
    """The class of the form. What must be filled in depends on the answer."""
    needed = [
        field.name for field in gate.policy.inputs if field.required and field.default is None
    ]
    reason = {choice: _reason(gate, choice) for choice in Choice}
    rules = [
        f"{choice}={literal(names)}"
        for choice, names in (
            (Choice.APPROVE, [*needed, *reason[Choice.APPROVE]]),
            (Choice.REJECT, reason[Choice.REJECT]),
        )
        if names
    ]
    lines = [
        f"class Answer_{task.id}(RunInput):",
        f'    """The answer to checkpoint {task.id}: true approves, false rejects."""',
        "",
        *([f"    model_config = filled_in({', '.join(rules)})", ""] if rules else []),
        "    approved: bool",
        f'    reason: Annotated[str, Field(max_length={REASON_LIMIT})] = ""',
        *(f"    {_input(field)}" for field in gate.policy.inputs),
    ]
    return "\n".join(lines)


def _reason(gate: Gate, choice: Choice) -> list[str]:
    return ["reason"] if gate.policy.reason_rule(choice) is ReasonRule.REQUIRED else []


def _input(field: InputField) -> str:
    if field.default is None:
        return f"{field.name}: {_type(field)} | None = None"
    return f"{field.name}: {_type(field)} = {_default(field)}"


def _type(field: InputField, *, filled: bool = False) -> str:
    facts = _facts(field, filled=filled)
    if not facts:
        return _plain_type(field)
    listed = ", ".join(f"{name}={literal(value)}" for name, value in facts.items())
    made_by = "number" if field.type is InputType.NUMBER else "Field"
    return f"Annotated[{_plain_type(field)}, {made_by}({listed})]"


def _plain_type(field: InputField) -> str:
    match field.type:
        case InputType.TEXT:
            return "str"
        case InputType.NUMBER:
            return "int | float"
        case InputType.BOOLEAN:
            return "bool"
        case InputType.CHOICE:
            return f"Literal[{', '.join(map(quoted, field.options))}]"
        case InputType.DATE:
            return "A_DATE"
        case InputType.CHOICES | InputType.JSON:
            raise AssertionError(f"a DAG file has no field of type {field.type}")


def _facts(field: InputField, *, filled: bool) -> dict[str, object]:
    """What else holds of a value: bounds, and that a text which must be given is not blank."""
    facts: dict[str, object] = {}
    if field.type is InputType.TEXT:
        most = MAX_TEXT if field.maximum is None else field.maximum
        facts = {"min_length": field.minimum or None, "max_length": most}
        facts["pattern"] = r"\S" if filled else None
    if field.type is InputType.NUMBER:
        facts = {"least": field.minimum, "most": field.maximum}
    facts["description"] = field.description or None
    return {name: value for name, value in facts.items() if value is not None}


def _default(field: InputField) -> str:
    if field.type is InputType.DATE:
        return f"datetime.date.fromisoformat({literal(field.default)})"
    return literal(field.default)
