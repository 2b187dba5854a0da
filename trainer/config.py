"""Every knob of `trainer run`: one frozen model per TOML section, its documentation under each field.

Paths are relative to the working directory. This module imports no torch, so `--help` and `plan` stay quick.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trainer.algorithms import AlgorithmSection, Dapo
from trainer.data.section import DataSection
from trainer.detectors.section import DetectorsSection
from trainer.distributed.section import DistributedSection
from trainer.lora_section import LoraSection
from trainer.pipeline.section import PipelineSection
from trainer.samplers.section import SamplerSection
from trainer.section import NonNegative, Positive, PublicUrl, Section, Share
from trainer.trackers import TrackingSection


class RunSection(Section):
    """[run]: what to call the run, where to keep it, how long it goes."""

    dir: Path
    """Directory of the run: configuration, metrics, rollouts, checkpoints."""
    id: str = Field(default="", max_length=200)
    """Name on every record the reward service keeps; the directory's name when left empty."""
    seed: int = 0
    """Decides the order of tasks and every sampled token."""
    steps: Positive
    """Training steps in all, counted from the first run and not from a resume."""
    threads: NonNegative = 0
    """CPU threads for tensor arithmetic; 0 leaves it to torch. One is quickest for models under a million weights. A
    pipelined run that samples with `hf` on a CPU learns and samples at once where there are cores for twice as many."""
    rollouts_kept: NonNegative = 8
    """Rollouts of each logged step written to rollouts.jsonl, with their reward breakdowns."""
    rollouts_every_steps: Positive = 1
    """Steps between two logged samples of rollouts."""

    @model_validator(mode="before")
    @classmethod
    def _named_after_its_directory(cls, data: object) -> object:
        if isinstance(data, dict) and not data.get("id") and isinstance(data.get("dir"), str | Path):
            return {**data, "id": Path(data["dir"]).name or "run"}
        return data


class ModelSection(Section):
    """[model]: the policy to start from."""

    path: str
    """Directory of a Hugging Face model, or its id on the hub."""
    source: Literal["huggingface", "modelscope"] = "huggingface"
    """The hub that `path` is an id of, if it is no directory. ModelScope needs the extra `modelscope`."""
    revision: str = ""
    """Branch, tag or commit on the hub. A commit is what keeps a run repeatable."""
    chat_template: Path | None = None
    """File with a chat template (Jinja), in place of the model's own."""
    template_args: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Variables for the chat template, such as `{ enable_thinking = false }`. They are saved with the tokenizer."""
    device: str = "auto"
    """`auto` takes CUDA where there is one; otherwise the name of a torch device."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of weights, and of arithmetic if `compute` is `same`. Small learning rates vanish in bfloat16 ones."""
    compute: Literal["same", "bfloat16"] = "same"
    """Precision of arithmetic. With `bfloat16`, float32 weights are rounded to it once a step, the sampler and the step
    both compute with what that gives, and the optimiser moves the float32 ones, which checkpoints hold."""
    activation_checkpointing: bool = False
    """Keep only what goes into each layer, and compute the rest again in the backward pass: a third more work, and the
    memory of a layer's activations instead of all of theirs."""
    compile: bool = False
    """Run the layers of the step through torch.compile; on a CPU it needs a C++ compiler. The sampler's stay as they
    are, and agree to rounding."""

    @property
    def arithmetic(self) -> str:
        """Name of the precision that is computed in."""
        return self.dtype if self.compute == "same" else self.compute

    @model_validator(mode="after")
    def _masters_are_finer_than_what_is_computed_with(self) -> Self:
        if self.compute == self.dtype:
            raise ValueError(f'compute = "{self.compute}" rounds float32 weights: set dtype = "float32"')
        return self


class CorrectionSection(Section):
    """[correction]: weights for what the sampler and the trainer compute differently.

    The ratio is the trainer's probability, with the weights that a step begins with, over the sampler's. Those are the
    weights that sampled; with [pipeline] they are newer, and the ratio stands for the age of a rollout as well.
    `truncate` bounds it from above (TIS, Yao et al. 2025); `mask` drops what is outside of both bounds (IcePop, arXiv
    2510.18855, a token at a time; MIS, a sequence at a time).
    """

    kind: Literal["none", "truncate", "mask"] = "none"
    """What happens beyond the bounds. Without any, the mismatch is only measured."""
    level: Literal["token", "sequence"] = "token"
    """Whether each token has its ratio, or a sequence the product of its tokens'."""
    low: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    """Lower bound of `mask`."""
    high: Annotated[float, Field(gt=1.0)] = 2.0
    """Upper bound."""


class CriticSection(Section):
    """[critic]: what PPO compares rewards with. Only with `algorithm.name = "ppo"`."""

    init: str = "policy"
    """`policy` copies the policy's layers and expects 0 at first; otherwise a reward model of one label (a directory or
    hub id) with the policy's tokenizer."""
    lr: Annotated[float, Field(gt=0)] = 1e-5
    """Peak learning rate; everything else about its optimiser is as in [optim]."""
    value_clip: Annotated[float, Field(gt=0)] | None = 0.2
    """How far a value may move in one batch to still be learnt from, in units of reward."""
    warmup_steps: NonNegative = 0
    """Training steps, from the first, in which the critic learns and the policy stays as it is. The policy's schedule
    in [optim] counts from there."""


class PretrainingSection(Section):
    """[ptx]: language modelling beside the rewards (PPO-ptx), with any algorithm."""

    conversations: Path | None = None
    """JSONL file as for `trainer sft`: each line has `messages`, of which the assistant's are learnt. Without one there
    is none."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """What the mean loss over its tokens is multiplied by. InstructGPT used 27.8."""
    batch: Positive = 16
    """Rows an optimiser step."""
    max_tokens: Positive = 2048
    """Longest row, in tokens; a longer one is an error naming it."""


class SamplingSection(Section):
    """[sampling]: how rollouts are drawn. There is no top_p: see `trainer.samplers`."""

    prompts_per_step: Positive = 16
    """Tasks a step."""
    group_size: Positive = 16
    """Completions of each task; they are one another's baseline. Only PPO can do with one."""
    temperature: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    """Softmax temperature. Log-probabilities are taken at this temperature everywhere."""
    max_new_tokens: Positive = 256
    """Longest completion, in tokens; one that gets there finishes with `length`."""
    max_prompt_tokens: Positive = 1024
    """Longest prompt, in tokens; a longer one is an error naming the task."""
    rows_at_once: Positive = 512
    """Completions decoded together: bounds the memory of the key-value cache."""


class GradingSection(Section):
    """[grading]: the reward service."""

    url: PublicUrl = "http://127.0.0.1:8080"
    """Base URL of the service; `--spawn-server` overrides it."""
    key_file: Path | None = None
    """Holds the key of a service that asks for one; ASSAY_KEY or ASSAY_KEY_FILE of the environment if not given."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """Seconds to wait for one answer."""
    retries: Annotated[int, Field(ge=0)] = 20
    """A request that is not answered, or refused for the moment, is sent again so often: 20 are a good minute, which a
    restart of the service takes at most."""
    items_per_request: Annotated[int, Field(ge=1, le=1024)] = 256
    """Completions in one request, at most."""
    fault_budget: Share = 0.05
    """Share of a step's rollouts that may come back unscored before the run stops."""
    server_config: Path | None = None
    """Configuration file handed to a server that `--spawn-server` starts."""


class OptimSection(Section):
    """[optim]: AdamW and how the gradient is gathered."""

    lr: Annotated[float, Field(gt=0)] = 1e-6
    """Peak learning rate."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Decay of the first moment, per optimiser step."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the second moment, per optimiser step."""
    eps: Annotated[float, Field(gt=0)] = 1e-8
    """Added to the root of the second moment."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled weight decay, per optimiser step and unit of learning rate."""
    warmup_steps: NonNegative = 0
    """Training steps over which the learning rate rises linearly from 0."""
    decay_until_step: NonNegative = 0
    """Training step at which a linear decay after the warm-up reaches `final_lr_share`; 0 for no decay."""
    final_lr_share: Share = 0.1
    """What the decay leaves of `lr`."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """The gradient is scaled down to this 2-norm."""
    micro_batch: Positive = 64
    """Rows in one forward and backward pass: a matter of memory and speed, never of the gradient."""
    offload: bool = False
    """Keep the optimiser's moments in the host's memory between steps. On a CPU that is where they are anyway."""
    micro_batch_tokens: NonNegative = 0
    """Tokens in one forward and backward pass, which bound its memory. A prompt counts once for its completions there;
    the least of a pass is one completion. 0 for no bound but `micro_batch`."""

    @model_validator(mode="after")
    def _the_decay_follows_the_warm_up(self) -> Self:
        if 0 < self.decay_until_step <= self.warmup_steps:
            raise ValueError("decay_until_step has to come after warmup_steps")
        return self


class EvalSection(Section):
    """[eval]: how the held-out tasks are judged."""

    every_steps: NonNegative = 0
    """Training steps between evaluations inside a run, one before the first step included; 0 for none."""
    limit: NonNegative = 0
    """Held-out tasks to use, from the first on; 0 for all."""
    samples: Positive = 1
    """Completions of each task."""
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """0 takes the likeliest token each time; greedy decoding allows one sample a task."""
    pass_reward: float = 1.0
    """A completion passes with at least this reward, unless `pass_component` is given."""
    pass_component: str | None = None
    """Name of the rewarder whose full score is a pass, whatever the rest of the rubric pays."""

    @model_validator(mode="after")
    def _greedy_samples_are_equal(self) -> "EvalSection":
        if self.temperature == 0 and self.samples > 1:
            raise ValueError("several greedy samples would be one sample: give a temperature, or samples = 1")
        return self


class CheckpointSection(Section):
    """[checkpoint]: when to save."""

    every_steps: Positive = 50
    """Training steps between checkpoints; the last step is always saved."""
    keep: Positive = 2
    """Checkpoints left in the run directory."""


class TrainConfig(Section):
    """Everything `trainer run`, `plan` and `eval` need to know."""

    run: RunSection
    model: ModelSection
    data: DataSection
    algorithm: AlgorithmSection
    lora: LoraSection = LoraSection()
    correction: CorrectionSection = CorrectionSection()
    critic: CriticSection = CriticSection()
    ptx: PretrainingSection = PretrainingSection()
    sampling: SamplingSection = SamplingSection()
    sampler: SamplerSection = SamplerSection()
    pipeline: PipelineSection = PipelineSection()
    grading: GradingSection = GradingSection()
    optim: OptimSection = OptimSection()
    eval: EvalSection = EvalSection()
    checkpoint: CheckpointSection = CheckpointSection()
    detectors: DetectorsSection = DetectorsSection()
    tracking: TrackingSection = TrackingSection()
    distributed: DistributedSection = DistributedSection()

    @model_validator(mode="after")
    def _a_completion_is_compared_with_something(self) -> Self:
        name = self.algorithm.name
        if name != "ppo" and self.critic != CriticSection():
            raise ValueError(f"[critic] is for ppo; algorithm.name = {name} compares the completions of a group")
        if name != "ppo" and self.sampling.group_size == 1:
            raise ValueError(f"sampling.group_size = 1: {name} compares the completions of a group, give it 2 or more")
        return self

    @model_validator(mode="after")
    def _what_is_pipelined_can_be(self) -> Self:
        several = isinstance(self.algorithm, Dapo) and self.algorithm.sampling_rounds > 1
        late, groups = self.pipeline.stragglers, self.sampling.prompts_per_step
        if not self.pipeline.max_staleness:
            return self
        if self.correction.kind == "none":
            raise ValueError(
                "pipeline.max_staleness > 0 learns from what older weights sampled: "
                'set correction.kind = "truncate" or "mask"'
            )
        if self.sampler.kind == "vllm_colocated":
            raise ValueError("pipeline.max_staleness > 0 needs vllm_server or hf: vllm_colocated takes turns by itself")
        if several and self.pipeline.grading_requests != PipelineSection().grading_requests:
            raise ValueError("pipeline.grading_requests is for one round of sampling: several are graded in turn")
        if self.pipeline.update == "keep" and self.sampler.kind != "vllm_server":
            raise ValueError(f'pipeline.update = "keep" is for vllm_server, and sampler.kind = {self.sampler.kind}')
        if self.pipeline.update == "keep" and self.lora.sync == "adapter":
            raise ValueError(
                'pipeline.update = "keep" goes on with completions whose adapter lora.sync = "adapter" takes away: '
                'set pipeline.update = "wait", or lora.sync = "merged"'
            )
        if late >= groups:
            raise ValueError(f"pipeline.stragglers = {late} has to be below sampling.prompts_per_step = {groups}")
        if late and several:
            raise ValueError(
                "pipeline.stragglers is for one round of sampling; algorithm.sampling_rounds asks for more"
            )
        return self

    @model_validator(mode="after")
    def _what_is_sampled_is_what_is_trained(self) -> Self:
        coarse = "bfloat16" in (self.model.arithmetic, self.sampler.dtype)
        merged = self.lora.rank and self.lora.sync == "merged" and self.sampler.kind != "hf"
        if coarse and merged and self.correction.kind == "none":
            raise ValueError(
                'lora.sync = "merged" rounds what the adapter adds to bfloat16, so that vLLM samples from another '
                'policy than is trained: set lora.sync = "adapter", or correction.kind = "truncate" or "mask"'
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_set_in_vain(self) -> Self:
        if not self.lora.rank and self.lora != LoraSection():
            raise ValueError("[lora] with rank = 0 trains no adapter: give it a rank")
        if self.lora.sync == "adapter" and self.sampler.kind == "hf":
            raise ValueError('lora.sync = "adapter" is for vLLM: sampler.kind = hf has the adapter already')
        if self.lora.sync == "adapter" and self.sampler.sleep_level == 2:
            raise ValueError('sampler.sleep_level = 2 drops weights that lora.sync = "adapter" never sends: take 1')
        if not self.pipeline.max_staleness and self.pipeline != PipelineSection():
            raise ValueError("[pipeline] has no effect without pipeline.max_staleness")
        if self.ptx.conversations is None and self.ptx != PretrainingSection():
            raise ValueError("[ptx] without ptx.conversations adds nothing")
        if isinstance(self.algorithm, Dapo) and self.algorithm.overlong_buffer >= self.sampling.max_new_tokens:
            longest = self.sampling.max_new_tokens
            raise ValueError(f"algorithm.overlong_buffer has to be below sampling.max_new_tokens = {longest}")
        return self


class SftDataSection(Section):
    """[data] of `trainer sft`."""

    conversations: Path
    """JSONL file; each line has `messages`, of which the assistant's are learnt."""


class SftSection(Section):
    """[sft]: supervised fine-tuning on the assistant's tokens."""

    out: Path
    """Directory the finished model is written to."""
    seed: int = 0
    """Decides the order of the conversations."""
    steps: Positive
    """Optimiser steps."""
    threads: NonNegative = 0
    """CPU threads for tensor arithmetic; 0 leaves it to torch. One is quickest for models under a million weights."""
    batch: Positive = 32
    """Conversations an optimiser step; the loss is the mean over all their learnt tokens."""
    max_tokens: Positive = 2048
    """Longest conversation, in tokens; a longer one is an error naming its line."""


class SftConfig(Section):
    """Everything `trainer sft` needs to know."""

    sft: SftSection
    model: ModelSection
    data: SftDataSection
    optim: OptimSection = OptimSection(lr=1e-5)
