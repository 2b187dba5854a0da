"""Every setting of the reward service. Read once, passed down as a value."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from env_server.dialects.settings import DialectsConfig
from env_server.judges.credentials import credentials
from env_server.keys.settings import KeysConfig
from env_server.ledger.place import Place, url_problem
from env_server.limits import CacheConfig, LimitsConfig
from env_server.observing.settings import LogConfig, TracingConfig
from env_server.redaction_rules import BuiltIn, Rule
from env_server.section import Count, Positive, Section
from env_server.serving_settings import ServerConfig, WorkersConfig
from rewarders.errors import ConfigError
from rewarders.registry import first_problem
from rewarders.rubric import Rubric
from rewarders.rubric_files import read_rubrics


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


class CallsConfig(Section):
    """`[calls]`: async rewarders, which wait for a sandbox and the like on an event loop of their own."""

    at_once: Count = 64
    """Calls of one rewarder under way at once; the rest wait."""
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

    url: Annotated[str, Field(pattern=r"^https?://[^/@\s?#]+(/[^\s?#]*)?$")]
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
    """Of one request where nobody can be reached, or the endpoint is overloaded (409, 425, 429, 503, 529). Behind the
    last it is sent a greeting, to learn whether it was overloaded by this text alone."""
    deadline_s: Positive = 300.0
    """For all tries of one request and the pauses between them: none but the first begins that could end later."""
    breaker_failures: Count = 8
    """After this many failures in a row nothing is sent for `breaker_pause_s`; then one request at a time is, until one
    succeeds."""
    breaker_pause_s: Positive = 30.0
    """How long nothing is sent."""


_SENT_ANYWAY = {
    *("model", "messages", "temperature", "seed", "max_tokens", "response_format", "logprobs", "top_logprobs", "stream")
}


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
    """Further fields of the request, such as `reasoning_effort`, or `chat_template_kwargs` of vLLM. They go on every
    record: no credentials."""
    input_price: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Money for a million tokens of prompts."""
    output_price: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Money for a million tokens of replies."""
    budget_tokens: Count | None = None
    """Nothing is asked that could take the tokens used since the data directory was made over this."""
    budget_money: Positive | None = None
    """The same, in the unit of the prices."""

    @field_validator("extra")
    @classmethod
    def _adds_to_the_request(cls, extra: dict[str, Any]) -> dict[str, Any]:
        if found := next(credentials(extra), None):
            raise ValueError(f"{found} looks like a credential, and this goes on every record; give key_file")
        if taken := sorted(_SENT_ANYWAY & set(extra)):
            raise ValueError(f"{taken[0]} is not extra: every request has its own")
        return extra


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
    """A calibration on fewer different labelled items is none."""
    min_each: Count = 50
    """One on fewer good ones, or fewer bad ones, is none."""
    min_kappa: Annotated[float, Field(ge=-1, le=1)] = 0.6
    """A calibration that agrees less with the labels (Cohen's kappa) is none."""
    min_specificity: Annotated[float, Field(ge=0, le=1)] = 0.8
    """One where the share of bad items that the judge rejects may be lower is none: the lower end of its exact 95 %
    interval counts. What a judge lets through is what a policy learns."""


class LedgerConfig(Section):
    """`[ledger]`: where rewards are recorded."""

    data_dir: Path = Path("assay-data")
    """Holds the writers' signing keys in `writers/`, and `ledger.sqlite3` unless `url` is given."""
    url: str | None = None
    """`postgresql://user@host/database`: the records go there. Several services may share it, each with a `data_dir` of
    its own."""
    password_file: Path | None = None
    """Holds the password for `url`. PGPASSWORD and PGPASSFILE are heeded too."""
    publish_dir: Path | None = None
    """A second place for the newest signed checkpoint, best out of this machine's reach: whoever has the database and
    the key can rewrite both, but not that."""
    enabled: bool = True
    """Off, nothing is recorded and no answer carries a record id. For measurements only."""
    max_waiting_records: Count = 16_384
    """A request that would make the queue longer is answered 503 with Retry-After."""
    keep_replies_h: Positive = 24.0
    """How long an answer is kept for its idempotency key."""

    @property
    def place(self) -> Place:
        """Where the ledger is."""
        return Place(self.data_dir, self.url, self.password_file)

    @model_validator(mode="after")
    def _the_url_is_one_and_holds_no_password(self) -> Self:
        if self.url is not None and (problem := url_problem(self.url)):
            raise ValueError(f"url {problem}")
        if self.password_file is not None and self.url is None:
            raise ValueError("password_file is given, and url is not, but SQLite has no password")
        return self


class RedactionConfig(Section):
    """`[redaction]`: what is taken out of records, and never out of what is scored."""

    built_in: tuple[BuiltIn, ...] = ()
    """Rules that come with Assay: `private-key`, `cloud-key`, `bearer-token`, `email`. None unless named."""
    rules: tuple[Rule, ...] = ()
    """`[[redaction.rules]]`: rules of your own."""

    @model_validator(mode="after")
    def _rules_have_names_of_their_own(self) -> Self:
        names = [*self.built_in, *(rule.name for rule in self.rules)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"there are two rules {twice!r}")
        return self


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
    redaction: RedactionConfig = RedactionConfig()
    """What is taken out of records."""
    limits: LimitsConfig = LimitsConfig()
    """How much may be asked with one key."""
    cache: CacheConfig = CacheConfig()
    """Verdicts that are not computed twice."""
    log: LogConfig = LogConfig()
    """What the service says on standard error."""
    tracing: TracingConfig = TracingConfig()
    """Spans of OpenTelemetry."""
    dialects: DialectsConfig = DialectsConfig()
    """What other trainers' protocols leave open."""
    keys: KeysConfig = KeysConfig()
    """Who may ask."""
    rubrics: dict[str, Rubric] = Field(default_factory=dict)
    """`[rubrics."name.v1"]`: rubrics beside the built-in ones, as in `rewarders/rubrics/*.toml`."""
    rubric_files: tuple[str, ...] = ()
    """Files with one rubric each, as in `rubrics/*.toml`: they come beside those of `[rubrics]`."""

    @model_validator(mode="after")
    def _one_request_fits_the_queues(self) -> Self:
        smallest = min(self.workers.max_waiting_jobs, self.calls.max_waiting, self.ledger.max_waiting_records)
        if smallest < self.server.max_completions_per_request:
            raise ValueError("a queue is shorter than server.max_completions_per_request: a full request never fits")
        return self

    @model_validator(mode="after")
    def _keys_have_a_place(self) -> Self:
        if self.keys.enabled and not self.ledger.enabled:
            raise ValueError("keys are kept in the ledger's database: keys.enabled needs ledger.enabled")
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
        return _with_rubric_files(ServiceConfig.model_validate(data))
    except ValidationError as error:
        key = ".".join(str(step) for step in error.errors()[0]["loc"])
        given = error.errors()[0]["input"]
        value = f" is {given!r}" if isinstance(given, str | int | float) else ""
        problem = first_problem(error).rpartition(": ")[2]
        raise ConfigError(f"{path or 'the flags'}: {key}{value}: {problem}") from error


def _with_rubric_files(config: ServiceConfig) -> ServiceConfig:
    """Their rubrics among the others. Raises ConfigError."""
    read = {rubric.name: rubric for rubric in read_rubrics(config.rubric_files)}
    if twice := sorted(read.keys() & config.rubrics.keys()):
        raise ConfigError(f"rubric {twice[0]!r} is in [rubrics] and in {read[twice[0]].source}")
    return config.model_copy(update={"rubrics": {**config.rubrics, **read}}) if read else config


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="give an existing file to --config") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
