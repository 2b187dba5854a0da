"""Items as a client would send them."""

from typing import Any


def raw_item(text: str, rubric: str = "length.v1", reference: Any = None, **more: Any) -> dict[str, Any]:
    """One item with a one-line prompt."""
    task = {"id": "t", "prompt": [{"role": "user", "content": "?"}], "rubric": rubric, "reference": reference}
    return {"task": task, "completion": {"text": text, "finish_reason": "stop"}, **more}
