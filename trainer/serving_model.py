"""A scalar reward model over HTTP, on vLLM's routes: `POST /score`, `POST /classify`, `GET /health`.

For a model that vLLM does not serve, or a machine without it. Requests are answered one after another; each holds as
many texts as the caller put together. A number that is not finite is answered as null, which no caller takes for one.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rewarders.errors import ConfigError
from trainer.models import first_line, resolve_device

_TEXTS_AT_ONCE = 16


class Pairs(BaseModel):
    """Body of `/score`."""

    model_config = ConfigDict(extra="ignore")

    text_1: list[str]
    """Prompts."""
    text_2: list[str]
    """Answers, one for each."""
    model: str = ""


class Texts(BaseModel):
    """Body of `/classify`."""

    model_config = ConfigDict(extra="ignore")

    input: list[str]
    """Whole conversations."""
    model: str = ""


@dataclass
class RewardModel:
    """A model with one output, its tokenizer, and how long a text it takes."""

    model: Any
    tokenizer: Any
    max_tokens: int
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def rate(self, texts: Sequence[str]) -> list[float | None]:
        """The raw number of each text, None where it is not finite. Raises ValueError: one of them is too long."""
        encoded = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        longest = max((len(one) for one in encoded), default=0)
        if longest > self.max_tokens or not all(encoded):
            raise ValueError(f"a text has {longest} tokens or none; the model takes 1 to {self.max_tokens}")
        with self._turn, torch.inference_mode():
            numbers = [number for batch in _batches(encoded) for number in self._forward(batch)]
        return [number if abs(number) < float("inf") else None for number in numbers]

    def conversation(self, prompt: str, answer: str) -> str:
        """Prompt and answer as the model was trained on them: by its chat template, if it has one."""
        if not self.tokenizer.chat_template:
            return f"{prompt}\n{answer}"
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False))

    def _forward(self, batch: Sequence[list[int]]) -> list[float]:
        padded = self.tokenizer.pad({"input_ids": list(batch)}, padding_side="right", return_tensors="pt")
        logits = self.model(**padded.to(self.model.device)).logits
        numbers: list[float] = logits[:, 0].float().tolist()
        return numbers


def load_reward_model(path: str, device: str, dtype: str) -> RewardModel:
    """Raises ConfigError: there is no such model, or it has no trained head with one output."""
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            path, dtype=getattr(torch, dtype), output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError, SafetensorError, RuntimeError) as error:
        raise ConfigError(f"{path} cannot be loaded: {first_line(error)}", hint="name a model directory") from error
    if model.config.num_labels != 1 or report["missing_keys"]:
        raise ConfigError(f"{path} is no scalar reward model: it has no trained head with one output")
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    model.to(resolve_device(device)).eval()
    return RewardModel(model, tokenizer, int(getattr(model.config, "max_position_embeddings", 4096)))


def create_app(rater: RewardModel) -> FastAPI:
    """The routes."""
    app = FastAPI(title="Assay reward model", docs_url=None, redoc_url=None)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/score")
    def score(body: Pairs) -> dict[str, Any]:
        if len(body.text_1) != len(body.text_2):
            raise HTTPException(422, f"{len(body.text_1)} prompts and {len(body.text_2)} answers")
        texts = [rater.conversation(prompt, text) for prompt, text in zip(body.text_1, body.text_2, strict=True)]
        return _answer([{"score": number} for number in _rated(rater, texts)])

    @app.post("/classify")
    def classify(body: Texts) -> dict[str, Any]:
        return _answer([{"probs": [number], "num_classes": 1} for number in _rated(rater, body.input)])

    return app


def serve(path: Path, host: str, port: int, device: str, dtype: str) -> None:
    """Serve until interrupted. Raises ConfigError."""
    uvicorn.run(create_app(load_reward_model(str(path), device, dtype)), host=host, port=port, log_level="warning")


def _rated(rater: RewardModel, texts: Sequence[str]) -> list[float | None]:
    try:
        return rater.rate(texts)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error


def _answer(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": [{"index": index, **row} for index, row in enumerate(rows)]}


def _batches(encoded: Sequence[list[int]]) -> Iterator[Sequence[list[int]]]:
    for begin in range(0, len(encoded), _TEXTS_AT_ONCE):
        yield encoded[begin : begin + _TEXTS_AT_ONCE]
