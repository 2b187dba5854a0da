"""Every setting of the reward service. Read once, passed down as a value."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rewarders.errors import ConfigError
from rewarders.registry import first_problem
from rewarders.rubric import Rubric

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """Base of the sections: closed, frozen, documented field by field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ServerConfig(Section):
    """`[server]`: where it listens and what it accepts."""

    host: str = "127.0.0.1"
    """Address to listen on. Outside loopback only together with `allow_remote`."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 takes a free port and says which."""
    allow_remote: bool = False
    """Listen outside loopback although there is no authentication yet. Put it behind something that has."""
    max_body_bytes: Count = 32 * 1024 * 1024
    """A longer request body is refused with 413."""
    max_json_values: Count = 250_000
    """A body with more keys and values is refused with 413 before it is parsed."""
    max_completions_per_request: Count = 1024
    """A request with more items is refused with 413."""
    max_connections: Count = 2048
    """More clients at once are answered 503."""
    body_timeout_s: Positive = 30.0
    """A body that has not arrived by then is refused with 408."""


class IsolatedPluginConfig(Section):
    """`[plugins.NAME]`: rewarders that run in a virtual environment of their own. Their names begin with `NAME.`."""

    isolation: Literal["venv"]
    """`venv` is the one kind there is."""
    venv: Path
    """The environment's folder. It has the plug-in, and the same assay as the service."""
    load: tuple[str, ...] = ()
    """Distributions that are installed there, by name."""
    modules: tuple[str, ...] = ()
    """Importable modules there that are not packaged."""
    processes: Count | None = None
    """How many; as many as `[workers]` has if not given."""

    @model_validator(mode="after")
    def _loads_something(self) -> Self:
        if not self.load and not self.modules:
            raise ValueError("neither load nor modules is given, so nothing would be loaded")
        return self


class PluginsConfig(Section):
    """`[plugins]`: whose rewarders are loaded."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, IsolatedPluginConfig] = Field(init=False)

    load: tuple[str, ...] | None = None
    """Installed distributions by name; every one with rewarders if not given. Nothing else is imported."""
    modules: tuple[str, ...] = ()
    """Importable modules that are not packaged, such as a rewarder still being written."""

    @property
    def isolated(self) -> dict[str, IsolatedPluginConfig]:
        """`[plugins.NAME]`, by name."""
        return self.__pydantic_extra__ or {}


class WorkersConfig(Section):
    """`[workers]`: the processes that run pure rewarders."""

    processes: Count = Field(default_factory=lambda: os.cpu_count() or 1)
    """One for each core by default."""
    call_timeout_s: Positive = 30.0
    """Wall-clock rescue for one call, from dispatch. Blame is assigned by the rewarder's own CPU budget."""
    memory_bytes: Annotated[int, Field(ge=256 * 1024**2, le=1024**5)] = 2 * 1024**3
    """Address space of one process; a completion that needs more scores 0, `too_costly`."""
    max_waiting_jobs: Count = 65_536
    """A request that would make the queue longer is answered 503 with Retry-After."""


class CallsConfig(Section):
    """`[calls]`: async rewarders, which wait for a sandbox and the like on an event loop of their own."""

    at_once: Count = 64
    """Calls under way at once; the rest wait."""
    timeout_s: Positive = 600.0
    """Wall-clock rescue for one call, from dispatch, time in the queue for a sandbox left out."""
    max_waiting: Count = 65_536
    """A request that would leave more calls unanswered is answered 503 with Retry-After."""


class DockerConfig(Section):
    """`[sandbox.docker]`: with `backend = "docker"`."""

    image: str | None = None
    """The runner image, by digest."""
    runtime: str | None = None
    """`runsc` for gVisor; the engine's default if not given."""


class RemoteConfig(Section):
    """`[sandbox.remote]`: with `backend = "remote"`."""

    urls: tuple[str, ...] = ()
    """Where `python -m sandboxes serve` listens; programs are spread over them."""
    token_file: Path | None = None
    """Holds the bearer token."""
    protocol: Literal["assay", "sandboxfusion"] = "assay"
    """What is spoken there. SandboxFusion's cannot link two programs, as some tests need."""


class SandboxConfig(Section):
    """`[sandbox]`: where programs run that nobody trusts."""

    backend: Literal["namespaces", "docker", "remote", "off"] = "namespaces"
    """`off` leaves every completion that has to be run unscored."""
    tier: Literal["full", "landlock"] = "full"
    """`landlock` is weaker and needs no user namespaces. It is never chosen for you."""
    parallel: Count = Field(default_factory=lambda: os.cpu_count() or 1)
    """Completions whose programs run at once; one for each core by default. With `remote`, give the cores there."""
    interpreter: Path | None = None
    """The Python that programs are run by; the one this service is run by, without its packages, if not given."""
    cgroup: str = ""
    """A delegated control group (version 2) for the limits of several processes together; empty looks for one, `-`
    uses none."""
    docker: DockerConfig = DockerConfig()
    """With `backend = "docker"`."""
    remote: RemoteConfig = RemoteConfig()
    """With `backend = "remote"`."""

    @model_validator(mode="after")
    def _the_backend_has_what_it_needs(self) -> Self:
        if self.backend == "docker" and self.docker.image is None:
            raise ValueError("backend is 'docker', and docker.image is not given")
        if self.backend == "remote" and not self.remote.urls:
            raise ValueError("backend is 'remote', and remote.urls is empty")
        return self


EndpointName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class EndpointConfig(Section):
    """What judges and reward models have in common: an HTTP endpoint somewhere, and how it is spared."""

    url: Annotated[str, Field(pattern=r"^https?://[^/@\s]+(/[^\s]*)?$")]
    """Up to the version, as in `http://127.0.0.1:8000/v1`. Redirects are not followed."""
    model: Annotated[str, Field(min_length=1)]
    """Name of the model there."""
    key_file: Path | None = None
    """Holds the API key, if one is needed."""
    timeout_s: Positive = 120.0
    """For one request. Generous: what `max_tokens` can take at the endpoint's slowest has to fit."""
    at_once: Count = 32
    """Most requests under way: it begins with 4, adds one at a time, and halves when the endpoint is in trouble."""
    tries: Annotated[int, Field(ge=1, le=10)] = 4
    """Of one request where the connection breaks, or the endpoint is overloaded (408, 429, 5xx)."""
    breaker_failures: Count = 8
    """After this many failures in a row nothing is sent for `breaker_pause_s`; then one request at a time is, until one
    succeeds."""
    breaker_pause_s: Positive = 30.0
    """How long nothing is sent."""


class JudgeConfig(EndpointConfig):
    """`[judges.NAME]`: a language model behind an OpenAI-compatible `/chat/completions`, vLLM's included."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Of the first opinion."""
    resample_temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of the further ones that are asked for where the first is in doubt."""
    max_tokens: Annotated[int, Field(ge=64, le=65_536)] = 1024
    """Of one reply, its reasoning included."""
    response_format: Literal["json_schema", "json_object", "text"] = "json_schema"
    """How far the endpoint can be made to answer in the form that is asked for."""
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = 0
    """Ask for log-probabilities with this many alternatives; 0 does not. `by = "probability"` needs at least 2."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further fields of the request, such as `reasoning_effort`, or `chat_template_kwargs` of vLLM."""
    input_price: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Money for a million tokens of prompts."""
    output_price: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Money for a million tokens of replies."""
    budget_tokens: Count | None = None
    """Nothing is asked that could take the tokens used since the data directory was made over this."""
    budget_money: Positive | None = None
    """The same, in the unit of the prices."""


class RewardModelConfig(EndpointConfig):
    """`[reward_models.NAME]`: a model that gives a conversation one number, behind routes like vLLM's."""

    route: Literal["score", "classify"] = "score"
    """`/score` takes prompt and answer as a pair of texts; `/classify` one text, made by `turn`. Neither is under the
    `/v1` of `url`."""
    turn: Annotated[str, Field(max_length=1000)] = "{role}: {content}\n"
    """One turn of the conversation, for `/classify`."""
    output: Annotated[int, Field(ge=0, le=4096)] = 0
    """Which of the numbers that `/classify` gives."""
    batch: Annotated[int, Field(ge=1, le=1024)] = 64
    """Most texts in one request."""
    linger_ms: Annotated[float, Field(ge=0, le=1000)] = 5.0
    """How long a text waits for company."""


class CalibrationConfig(Section):
    """`[calibration]`: which judges may be paid for what."""

    files: tuple[Path, ...] = ()
    """Written by `env-server judge calibrate`."""
    required: bool = True
    """A judge without a calibration for its part of a rubric only observes. Off, its word is paid untested."""
    min_items: Count = 200
    """A calibration on fewer labelled items is none."""
    min_kappa: Annotated[float, Field(ge=-1, le=1)] = 0.6
    """A calibration that agrees less with the labels (Cohen's kappa) is none."""


class LedgerConfig(Section):
    """`[ledger]`: where rewards are recorded."""

    data_dir: Path = Path("assay-data")
    """Holds `ledger.sqlite3`."""
    enabled: bool = True
    """Off, nothing is recorded and no answer carries a record id. For measurements only."""
    max_waiting_records: Count = 16_384
    """A request that would make the queue longer is answered 503 with Retry-After."""
    keep_replies_h: Positive = 24.0
    """How long an answer is kept for its idempotency key."""


class ServiceConfig(Section):
    """The whole file."""

    server: ServerConfig = ServerConfig()
    """Where it listens and what it accepts."""
    plugins: PluginsConfig = PluginsConfig()
    """Whose rewarders are loaded."""
    workers: WorkersConfig = Field(default_factory=WorkersConfig)
    """The processes that run pure rewarders."""
    calls: CallsConfig = CallsConfig()
    """Async rewarders, which wait for a sandbox and the like."""
    sandbox: SandboxConfig = Field(default_factory=SandboxConfig)
    """Where programs run that nobody trusts."""
    judges: dict[EndpointName, JudgeConfig] = Field(default_factory=dict)
    """`[judges.NAME]`: language models that are asked for verdicts."""
    reward_models: dict[EndpointName, RewardModelConfig] = Field(default_factory=dict)
    """`[reward_models.NAME]`: models that give a conversation one number."""
    calibration: CalibrationConfig = CalibrationConfig()
    """Which judges may be paid for what."""
    ledger: LedgerConfig = LedgerConfig()
    """Where rewards are recorded."""
    rubrics: dict[str, Rubric] = Field(default_factory=dict)
    """`[rubrics."name.v1"]`: rubrics beside the built-in ones, as in `rewarders/rubrics/*.toml`."""

    @model_validator(mode="after")
    def _one_request_fits_the_queues(self) -> Self:
        smallest = min(self.workers.max_waiting_jobs, self.calls.max_waiting, self.ledger.max_waiting_records)
        if smallest < self.server.max_completions_per_request:
            raise ValueError("a queue is shorter than server.max_completions_per_request: a full request never fits")
        return self

    @field_validator("rubrics", mode="before")
    @classmethod
    def _name_them(cls, tables: Any) -> Any:
        if not isinstance(tables, dict):
            return tables
        return {name: {"name": name, **t} if isinstance(t, dict) else t for name, t in tables.items()}


def load_config(path: Path | None, overrides: dict[str, Any]) -> ServiceConfig:
    """Read the configuration file, if there is one, and apply the flags that were given.

    Args:
        path: a TOML file; None takes every default.
        overrides: dotted key to value, as in `{"server.port": 0}`; None values are flags that were not given.

    Raises:
        ConfigError: naming the key, what is wrong with it, and the file.
    """
    data = _read_toml(path) if path else {}
    for key, value in overrides.items():
        if value is not None:
            section, _, name = key.partition(".")
            table = data.setdefault(section, {})
            if isinstance(table, dict):  # validation reports the rest
                table[name] = value
    try:
        return ServiceConfig.model_validate(data)
    except ValidationError as error:
        key = ".".join(str(step) for step in error.errors()[0]["loc"])
        given = error.errors()[0]["input"]
        value = f" is {given!r}" if isinstance(given, str | int | float) else ""
        problem = first_problem(error).rpartition(": ")[2]
        raise ConfigError(f"{path or 'the flags'}: {key}{value}: {problem}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="give an existing file to --config") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
