"""The promise of a sandbox, kept by `python -m sandboxes serve` on other machines.

Whatever a server or the network does wrong is a fault, never a result: nothing that was not measured gets a verdict.
"""

import itertools
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sandboxes.errors import SandboxFault, SandboxLost, SandboxMisconfigured, SandboxUnavailable
from sandboxes.hosts import Answer, Host, first_willing, in_turn, until_not_busy
from sandboxes.types import MIB, Program, SandboxResult, Submission
from sandboxes.wire import (
    FAULTS,
    LinkedRequest,
    LinkedResults,
    Opened,
    Parcel,
    Policies,
    Problem,
    RunRequest,
    StdinRequest,
)

M = TypeVar("M", bound=BaseModel)
_ASK_S = 30.0
_CLOSE_S = 10.0

_log = logging.getLogger(__name__)


class RemoteSandbox:
    """Runs programs on the servers at some addresses, each new submission on the next one."""

    def __init__(
        self, urls: Sequence[str], *, token: str = "", most_at_once: int = 64, patience_s: float = 600.0
    ) -> None:  # fmt: skip
        """Nothing is asked yet.

        Args:
            urls: of servers that offer the same policies.
            token: what they want to be shown, if anything.
            most_at_once: requests under way at once to one server.
            patience_s: how long to come back to servers that all have too much to do.

        Raises:
            SandboxMisconfigured: there is no URL, or one is none.
        """
        if not urls:
            raise SandboxMisconfigured("no address of a sandbox server is given")
        self._hosts = [Host(url, token=token, most_at_once=most_at_once) for url in urls]
        self._patience_s = patience_s
        self._known: dict[Host, Policies] = {}
        self._digests: dict[str, str] = {}
        self._count = itertools.count()

    @property
    def backend(self) -> str:
        """`remote:` and what the servers run programs in; a result says it of the one that ran it."""
        return "remote:" + "+".join(sorted({policies.backend for policies in self._known.values()}))

    def policy_digest(self, language: str) -> str:
        """What the servers say.

        Raises:
            SandboxMisconfigured: none of them offers the language.
            SandboxUnavailable: none of them was asked yet: `start` comes first.
        """
        if not self._known:
            raise SandboxUnavailable("no sandbox server was reached yet")
        if language in self._digests:
            return self._digests[language]
        offers = [policies.languages.get(language) for policies in self._known.values()]
        missing = next((offer.missing for offer in offers if offer and offer.missing), "it is not known there")
        raise SandboxMisconfigured(f"no sandbox server offers the language {language[:40]!r}: {missing}")

    async def start(self) -> None:
        """Ask the servers what they offer. One that is down is asked again when its turn comes.

        Raises:
            SandboxMisconfigured: two of them differ in a language, or one does not take our token.
            SandboxUnavailable: none can be reached.
        """
        failed: list[SandboxFault] = []
        for host in self._hosts:
            try:
                await self._learn(host)
            except (SandboxUnavailable, SandboxLost) as fault:
                failed.append(fault)
        if not self._known:
            raise SandboxUnavailable(f"no sandbox server can be reached: {failed[0]}")

    async def run(self, program: Program, stdin: bytes = b"") -> SandboxResult:
        """Open, run once, close. Raises SandboxFault."""
        parcel = Parcel.of(program)
        body = _packed(RunRequest(program=parcel.program, source=parcel.source, stdin=stdin))

        async def ask(host: Host) -> SandboxResult:
            within_s = program.limits.wall_s + self._known[host].overhead_s
            answer = await host.ask("POST", "/v1/run", body, within_s=within_s, most_bytes=_most_bytes(program))
            return _result(host, _read(host, answer, SandboxResult), program)

        return await first_willing(lambda: self._offering(program.language), ask, self._patience_s)

    @asynccontextmanager
    async def open(self, program: Program) -> AsyncIterator[Submission]:
        """A submission on one server, where it stays. Raises SandboxFault."""
        body = _packed(Parcel.of(program))

        async def ask(host: Host) -> _RemoteSubmission:
            answer = await host.ask("POST", "/v1/submissions", body, within_s=self._known[host].overhead_s)
            path = f"/v1/submissions/{_read(host, answer, Opened).id}"
            return _RemoteSubmission(host, path, program, self._known[host].overhead_s, self._patience_s)

        submission = await first_willing(lambda: self._offering(program.language), ask, self._patience_s)
        try:
            yield submission
        finally:
            await submission.close()

    async def run_linked(self, judge: Program, candidate: Program) -> tuple[SandboxResult, SandboxResult]:
        """Run two programs on one server, with a socket between them. Raises SandboxFault."""
        body = _packed(LinkedRequest(judge=Parcel.of(judge), candidate=Parcel.of(candidate)))

        async def ask(host: Host) -> tuple[SandboxResult, SandboxResult]:
            within_s = max(judge.limits.wall_s, candidate.limits.wall_s) + self._known[host].overhead_s
            most_bytes = _most_bytes(judge) + _most_bytes(candidate)
            answer = await host.ask("POST", "/v1/run-linked", body, within_s=within_s, most_bytes=most_bytes)
            both = _read(host, answer, LinkedResults)
            return _result(host, both.judge, judge), _result(host, both.candidate, candidate)

        return await first_willing(lambda: self._offering(judge.language, candidate.language), ask, self._patience_s)

    async def close(self) -> None:
        """Close the connections; the servers close what was open over them."""
        for host in self._hosts:
            await host.close()

    async def _offering(self, *languages: str) -> list[Host]:
        """The servers that offer the languages, beginning with the next one.

        Raises:
            SandboxMisconfigured: none of them does.
        """
        for host in self._hosts:
            if host not in self._known and not host.rests:
                await self._learn_late(host)
        for language in languages:
            self.policy_digest(language)
        offering = [host for host in self._hosts if all(self._offers(host, language) for language in languages)]
        return in_turn(offering, next(self._count))

    def _offers(self, host: Host, language: str) -> bool:
        offer = self._known[host].languages.get(language) if host in self._known else None
        return offer is not None and offer.policy_digest is not None

    async def _learn(self, host: Host) -> None:
        answer = await host.ask("GET", "/v1/policies", within_s=_ASK_S)
        policies = _read(host, answer, Policies)
        said = {name: offer.policy_digest for name, offer in policies.languages.items() if offer.policy_digest}
        for language in said.keys() & self._digests.keys():
            if said[language] != self._digests[language]:
                raise SandboxMisconfigured(
                    f"{host.url} runs {language} with another toolchain, policy or backend than the other servers: the"
                    " same program could get another result there; make them alike, or leave it out"
                )
        self._known[host] = policies
        self._digests |= said

    async def _learn_late(self, host: Host) -> None:
        """Ask a server that was down at the start. One that does not fit is left out: the others are enough."""
        try:
            await self._learn(host)
        except SandboxFault as fault:
            host.rest()
            _log.warning("a sandbox server is left out: %s", fault)


class _RemoteSubmission:
    """A submission on one server."""

    def __init__(self, host: Host, path: str, program: Program, overhead_s: float, patience_s: float) -> None:
        self._host, self._path, self._program = host, path, program
        self._within_s, self._patience_s = program.limits.wall_s + overhead_s, patience_s

    async def run(self, stdin: bytes = b"") -> SandboxResult:
        """Run it once. Raises SandboxFault."""
        body, most_bytes = _packed(StdinRequest(stdin=stdin)), _most_bytes(self._program)

        async def ask() -> SandboxResult:
            path, within_s = f"{self._path}/run", self._within_s
            answer = await self._host.ask("POST", path, body, within_s=within_s, most_bytes=most_bytes)
            return _result(self._host, _read(self._host, answer, SandboxResult), self._program)

        return await until_not_busy(ask, self._patience_s)

    async def close(self) -> None:
        """Let the server close it; if that cannot be said, it does so by itself when nobody runs it."""
        with suppress(SandboxFault):
            await self._host.ask("DELETE", self._path, within_s=_CLOSE_S)


def _packed(model: BaseModel) -> bytes:
    return model.model_dump_json(exclude_none=True).encode()


def _read(host: Host, answer: Answer, model: type[M]) -> M:
    """The answer as a model, or the fault that it tells. Raises SandboxFault."""
    if answer.status not in (200, 201):
        raise _fault(host, answer)
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise host.unreadable(f"no {model.__name__} ({error.error_count()} errors)") from None


def _fault(host: Host, answer: Answer) -> SandboxFault:
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        return host.unreadable(f"status {answer.status} without a problem document")
    message = f"{host.url}: {problem.detail}"
    if problem.code in FAULTS:
        return FAULTS[problem.code](message)
    return SandboxLost(message) if answer.status >= 500 else SandboxMisconfigured(message)


def _result(host: Host, result: SandboxResult, program: Program) -> SandboxResult:
    """The result, checked against what was asked for, under a name that says where it comes from."""
    if len(result.stdout) + len(result.stderr) > 2 * program.limits.output_bytes:
        raise host.unreadable("more output than the program may write")
    wanted = tuple(f"{path}/" for path in program.fetch)
    if not all(f"{path}/".startswith(wanted) for path in result.files):
        raise host.unreadable("files that were not asked for")
    return result.model_copy(update={"backend": f"remote:{result.backend}"})


def _most_bytes(program: Program) -> int:
    """Of an answer: output, and the files fetched, in base64, and some more."""
    return 4 * program.limits.output_bytes + MIB
