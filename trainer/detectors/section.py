"""[detectors]: what is watched for, from which figure on, and what is done about it."""

from typing import Annotated, Literal

from pydantic import Field

from trainer.section import Positive, Section, Share

Action = Literal["off", "warn", "stop"]
"""`warn` says so and goes on, `stop` saves a checkpoint and ends the run."""
RowAction = Literal["off", "warn", "mask", "stop"]
"""`mask` leaves the rollouts concerned out of the loss and of their group, as if they had come back unscored."""
Ratio = Annotated[float, Field(gt=1.0)]
Rise = Annotated[float, Field(gt=0.0)]


class HeldOutDetector(Section):
    """[detectors.held_out]: the reward rises while the held-out tasks stay where they were."""

    action: Action = "warn"
    """What to do."""
    measure: Literal["accuracy", "reward"] = "accuracy"
    """What is to rise with the training reward: `held_out/accuracy`, or the reward of the held-out tasks."""
    evaluations: Annotated[int, Field(ge=3)] = 4
    """Evaluations looked back on; the first two are compared with the last two."""
    reward_rise: Rise = 0.1
    """Rise of the training reward between them that asks for an explanation."""
    measure_rise: float = 0.01
    """The held-out tasks are flat when they rise by no more than this."""


class LengthDetector(Section):
    """[detectors.length]: completions grow, or shrink, far beyond what they were at first."""

    action: Action = "warn"
    """What to do."""
    window: Positive = 10
    """Steps in either mean: the first ones of the run, and the last ones."""
    ratio: Ratio = 3.0
    """How many times longer, or shorter, the mean completion may become."""


class EntropyDetector(Section):
    """[detectors.entropy]: the policy stops exploring, or comes apart."""

    action: Action = "warn"
    """What to do."""
    window: Positive = 10
    """Steps in either mean: the first ones of the run, and the last ones."""
    least_share: Share = 0.03
    """Share of its first entropy that the policy must keep."""
    most_ratio: Ratio = 4.0
    """How many times its first entropy the policy may have."""


class ZeroVarianceDetector(Section):
    """[detectors.zero_variance]: groups whose completions all earn the same, from which nothing is learnt."""

    action: Action = "warn"
    """What to do."""
    window: Positive = 10
    """Steps in the mean."""
    most_share: Share = 0.9
    """Share of a step's groups that may be without signal."""


class ComponentsDetector(Section):
    """[detectors.components]: one component of the reward rises while another falls, or a check does not follow."""

    action: Action = "warn"
    """What to do."""
    window: Positive = 20
    """Steps in either mean: the last ones, and as many before."""
    rise: Rise = 0.15
    """Rise of a paid component that asks for an explanation."""
    fall: Rise = 0.1
    """Fall of another, paid or a gate, that is one."""
    checks: tuple[str, ...] = ()
    """Components that must rise with the others, such as hidden tests: if one of them stays, that is an alarm too."""


class UnscoredDetector(Section):
    """[detectors.unscored]: completions that the service could not score, short of `grading.fault_budget`."""

    action: Action = "warn"
    """What to do."""
    window: Positive = 5
    """Steps in the mean."""
    most_share: Share = 0.02
    """Share of the rollouts that may be unscored."""


class DuplicatesDetector(Section):
    """[detectors.duplicates]: the same completion again, within a group or for different tasks."""

    action: RowAction = "warn"
    """What to do. `mask` keeps the first of each."""
    least_characters: Positive = 16
    """Shorter completions are alike by chance and do not count."""
    within_group: Share = 1.0
    """Share of the rollouts that may repeat another of their group. A policy that is sure of itself repeats itself: the
    default never raises it."""
    across_tasks: Share = 0.25
    """Share of the rollouts that may repeat a completion of another task."""


class Signature(Section):
    """A known way to cheat, as strings. Case, white space and characters of no width make no difference."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    """What the alarm calls it."""
    about: str = ""
    """What it is for."""
    any_of: tuple[str, ...] = ()
    """One of these is in the completion."""
    all_of: tuple[str, ...] = ()
    """And so is each of these."""
    characters: str = ""
    """Or one of these characters is."""
    times: Positive = 1
    """How often `any_of` must be found, taken together."""
    most_share: Share = 0.0
    """Share of the rollouts that may carry it, for what honest completions hold as well."""


class SignaturesDetector(Section):
    """[detectors.signatures]: known exploits, by the strings that betray them; see signatures.toml."""

    action: RowAction = "warn"
    """What to do."""
    ignore: tuple[str, ...] = ()
    """Names of signatures that mean nothing here."""
    extra: tuple[Signature, ...] = ()
    """Further signatures, of your own."""


class ShortcutDetector(Section):
    """[detectors.shortcut]: a string that nobody asked for, and that pays whatever the task is.

    It is looked for among the runs of up to `longest` tokens that no prompt contains, whose share of the rollouts has
    grown since the first steps, and that go with reward within groups, over many tasks and with few exceptions.
    """

    action: RowAction = "warn"
    """What to do. `mask` leaves out each rollout with the string, from the step that named it to the end of the run."""
    window: Positive = 20
    """Steps whose evidence is added up."""
    first_steps: Positive = 2
    """Steps that show what the policy wrote before it was trained; in these nothing is named."""
    longest: Annotated[int, Field(ge=1, le=8)] = 4
    """Tokens of the longest run."""
    habit: Share = 0.2
    """A string in more of the first rollouts than this is a habit and no discovery."""
    growth: Ratio = 2.0
    """How many times its first share a string must reach, `least_share` besides."""
    least_share: Share = 0.05
    """Share of the rollouts, beyond that."""
    least_groups: Positive = 12
    """Groups in which some completions have the string and some do not, unless all of them earn the most there is."""
    agreement: Share = 0.7
    """Share of these groups in which those with the string earn more."""
    correlation: Share = 0.3
    """Of having the string with the reward, within groups."""
    deviations: Rise = 6.0
    """Standard deviations of that from chance, as a permutation within groups has it."""
    spread: Share = 0.7
    """Groups with the string, over how many would have it were it strewn blindly; what a task asks for is in fewer."""
    allowed: tuple[str, ...] = ()
    """Strings that are meant to pay, such as the tags of a layout that no prompt mentions."""


class DetectorsSection(Section):
    """[detectors]: what is watched for while a run goes on."""

    held_out: HeldOutDetector = HeldOutDetector()
    """Reward up, held-out tasks flat."""
    length: LengthDetector = LengthDetector()
    """Length drift."""
    entropy: EntropyDetector = EntropyDetector()
    """Collapse or explosion of the entropy."""
    zero_variance: ZeroVarianceDetector = ZeroVarianceDetector()
    """Groups without signal."""
    components: ComponentsDetector = ComponentsDetector()
    """Components that part."""
    unscored: UnscoredDetector = UnscoredDetector()
    """Unscored rollouts."""
    duplicates: DuplicatesDetector = DuplicatesDetector()
    """Repeated completions."""
    signatures: SignaturesDetector = SignaturesDetector()
    """Known exploits."""
    shortcut: ShortcutDetector = ShortcutDetector()
    """Unknown exploits."""
