"""Conversations to token ids, by the model's own chat template. Spans come from ids, never from text."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from rewarders.errors import ConfigError
from rewarders.types import Message, Task


def set_template(tokenizer: Any, template: str | None, variables: Mapping[str, bool | int | float | str]) -> None:
    """Give the tokenizer another chat template, and its variables other defaults.

    Both become a part of the tokenizer, so that checkpoints, and whoever serves them, template as the run did. A
    template that already has these defaults, as a checkpoint's has, stays as it is.

    Raises:
        ConfigError: there is no single template to give defaults to, or a name is not one.
    """
    if template is not None:
        tokenizer.chat_template = template
    if not variables:
        return
    if not isinstance(tokenizer.chat_template, str):
        raise ConfigError(
            f"model.template_args = {dict(variables)}: the tokenizer has no chat template, or several",
            hint="give one as model.chat_template",
        )
    defaults = "".join(_default(name, value) for name, value in sorted(variables.items()))
    if not tokenizer.chat_template.startswith(defaults):
        tokenizer.chat_template = defaults + tokenizer.chat_template


def _default(name: str, value: bool | int | float | str) -> str:
    """Jinja that sets a variable which nobody has set; the empty text keeps a line break after it from being eaten."""
    if not name.isidentifier():
        raise ConfigError(f"model.template_args: {name!r} is no name of a variable")
    return f"{{% if {name} is not defined %}}{{% set {name} = {json.dumps(value)} %}}{{% endif %}}{{{{ '' }}}}"


def prompt_ids(tokenizer: Any, task: Task, max_tokens: int) -> list[int]:
    """Token ids of the task's prompt, up to where the assistant begins.

    The policy is shown `task.public()`: what is not there cannot leak into a prompt.

    Raises:
        ConfigError: the model has no chat template, or the prompt is longer than `max_tokens`.
    """
    ids = template_ids(tokenizer, task.public().prompt, generation=True)
    if len(ids) > max_tokens:
        raise ConfigError(
            f"task {task.id}: its prompt has {len(ids)} tokens; sampling.max_prompt_tokens = {max_tokens}",
            hint="raise the limit or drop the task",
        )
    return ids


def template_ids(tokenizer: Any, messages: Sequence[Message], *, generation: bool) -> list[int]:
    """Token ids of the templated conversation; `generation` opens the assistant's turn."""
    if tokenizer.chat_template is None:
        raise ConfigError("the tokenizer has no chat template", hint="use an instruction-tuned model, or add one")
    turns = [message.model_dump(exclude_none=True) for message in messages]
    try:
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=generation, return_dict=False)
    except TemplateError as error:  # some templates refuse a role, a system's for instance
        raise ConfigError(f"the chat template refuses a conversation: {error}") from error
    return [int(token) for token in ids]


def learnt_spans(tokenizer: Any, messages: Sequence[Message], stop_ids: Sequence[int]) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation, and which of them the assistant wrote, its stop token included.

    A turn is what the template appends to the ids of everything before it. What follows the stop token (a
    newline, in some templates) is layout and not learnt: sampling ends before it.

    Raises:
        ConfigError: the template rewrites earlier turns, so that no span can be told.
    """
    ids = template_ids(tokenizer, messages, generation=False)
    learnt = [False] * len(ids)
    for turn, message in enumerate(messages):
        if message.role != "assistant":
            continue
        start = _prefix_length(tokenizer, messages[:turn], ids, generation=True)
        end = _prefix_length(tokenizer, messages[: turn + 1], ids, generation=False)
        stops = [place for place in range(start, end) if ids[place] in stop_ids]
        end = stops[-1] + 1 if stops else end
        learnt[start:end] = [True] * (end - start)
    return ids, learnt


def _prefix_length(tokenizer: Any, messages: Sequence[Message], ids: Sequence[int], *, generation: bool) -> int:
    prefix = template_ids(tokenizer, messages, generation=generation) if messages or generation else []
    if list(ids[: len(prefix)]) != prefix:
        raise ConfigError(
            f"the chat template is not prefix-stable: {len(messages)} messages change when more follow",
            hint="learn on single-turn conversations, or use a template that only appends",
        )
    return len(prefix)


def written_text(tokenizer: Any, tokens: Sequence[int], stop_ids: Sequence[int]) -> str:
    """What the model wrote, special tokens included, but without the token that ended it.

    Special tokens stay visible so that nothing the policy writes is hidden from a grader.
    """
    kept = tokens[:-1] if tokens and tokens[-1] in stop_ids else tokens
    text = tokenizer.decode(list(kept), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return str(text)
