"""Request bodies as JSON. An error names the rule that was broken and never repeats the input."""

from typing import Any

from rewarders import strict_json
from rewarders.errors import InvalidBody, TooLarge
from rewarders.strict_json import MAX_DEPTH, Flaw, NotStrictError

_SAYS = {
    Flaw.DUPLICATE_KEY: "an object in the body has a key twice",
    Flaw.NOT_FINITE: "the body holds NaN, an infinity or a number too large for a double",
    Flaw.TOO_DEEP: f"the body is nested more than {MAX_DEPTH} deep",
    Flaw.LONE_SURROGATE: "the body holds a lone surrogate, which is no character",
}


def parse(body: bytes, *, max_values: int) -> Any:
    """Parse a request body.

    Args:
        body: UTF-8 bytes, without a mark.
        max_values: bound on the values and keys in it, checked before anything is built.

    Raises:
        InvalidBody: it is no strict JSON.
        TooLarge: it holds more than `max_values` values.
    """
    if not body.strip():
        raise InvalidBody("the body is empty")
    try:
        return strict_json.parse(body.decode("utf-8"), max_values=max_values)
    except UnicodeDecodeError:
        raise InvalidBody("the body is not UTF-8") from None
    except NotStrictError as error:
        if error.flaw is Flaw.TOO_LARGE:
            raise TooLarge(f"the body holds more than {max_values} values") from None
        raise InvalidBody(_SAYS.get(error.flaw, f"the body is not JSON, from character {error.position}")) from None
