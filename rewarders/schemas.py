"""JSON Schemas, validated when they are read and applied by `jsonschema-rs`.

Patterns run in an engine whose time is linear, and nothing is ever fetched: a `$ref` to somewhere else is refused.
"""

import json
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, JsonValue

_KEPT = 256


def _is_schema(schema: dict[str, JsonValue] | bool) -> dict[str, JsonValue] | bool:
    _validator(json.dumps(schema, sort_keys=True))
    return schema


JsonSchema = Annotated[dict[str, JsonValue] | bool, AfterValidator(_is_schema)]
"""A field of params that holds a JSON Schema; a rubric with a wrong one does not load."""


def first_violation(schema: dict[str, JsonValue] | bool, value: Any) -> dict[str, JsonValue] | None:
    """Where a value breaks a schema, as JSON pointers into both; None where it does not."""
    validator = _validator(json.dumps(schema, sort_keys=True))
    if validator.is_valid(value):
        return None
    error = next(validator.iter_errors(value))
    return {"at": _pointer(error.instance_path), "rule": _pointer(error.schema_path)}


@lru_cache(maxsize=_KEPT)
def _validator(schema: str) -> Any:
    """Raises ValueError saying what is wrong with the schema."""
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(
            json.loads(schema), pattern_options=jsonschema_rs.RegexOptions(), retriever=_refused, validate_formats=True
        )
    except jsonschema_rs.ValidationError as error:
        where = _pointer(error.instance_path)
        raise ValueError(f"this is no JSON Schema: {error.message[:200]}{f' at {where}' if where else ''}") from error


def _refused(uri: str) -> Any:
    raise ValueError(f"{uri!r:.80} is outside of the schema; put it into its $defs")


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)[:300]
