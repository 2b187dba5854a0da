"""Verifying a whole ledger: every record, body, tree, checkpoint and erasure, on as many processes as there are."""

import multiprocessing
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from env_server.audit.erasure_checks import Erasures
from env_server.audit.findings import Damage, Finding, spelled_id
from env_server.audit.sources import Signed, Source, Writer
from env_server.audit.span_checks import SpanReport, check_span, wrong_signature
from env_server.audit.tallies import TreeReport, TreeTally
from env_server.ledger.notes import name_of
from rewarders.errors import LedgerError

_WORTH_PROCESSES = 1 << 15
"""Records; fewer are verified sooner than other processes start."""
_MOST_PROCESSES = 8
_MOST_AHEAD = 4 * _MOST_PROCESSES
"""Pieces that wait for their turn or to be added up, which bounds the memory."""


@dataclass(frozen=True)
class Verification:
    """What `audit verify` found."""

    trees: tuple[TreeReport, ...]
    findings: tuple[Finding, ...]
    whole: bool = True
    """Whether it was all of a ledger. Of a part nothing proves that it holds all that was wanted."""

    @property
    def records(self) -> int:
        """How many were checked."""
        return sum(tree.records for tree in self.trees)

    def plus(self, findings: Sequence[Finding]) -> "Verification":
        """The same, with what was found elsewhere."""
        return replace(self, findings=(*findings, *self.findings))

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        trees = [tree.as_json() for tree in self.trees]
        findings = [finding.as_json() for finding in self.findings]
        return {"records": self.records, "whole": self.whole, "trees": trees, "findings": findings}


def verify(
    source: Source,
    kept: Sequence[Signed] = (),
    *,
    trusted: Sequence[bytes] = (),
    processes: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Verification:
    """Verify everything there is.

    Args:
        source: a database or an export.
        kept: checkpoints that were kept elsewhere.
        trusted: the public keys of all writers there may be, kept elsewhere; anybody's will do if none are given.
        processes: how many share the work; as many as there are cores if 0.
        progress: called with the number of records that were checked since the last call.

    Raises:
        LedgerError: the source cannot be read, or a process died.
    """
    writers, findings = _with_kept(source.writers(), kept)
    findings += _strangers(writers, trusted)
    erasures, about, trees = Erasures(), set[Any](), []
    with _executor(sum(writer.records for writer in writers), processes) as executor:
        bodies = executor.submit(_wrong_bodies, source)
        for writer in writers:
            tally = TreeTally(writer, list(source.left_out(writer)))
            for report in _reports(source, writer, executor):
                tally.add(report)
                about |= report.about
                erasures.state(report.erasures)
                progress(report.records)
            findings += tally.finish()
            trees.append(tally.report)
            erasures.gone[writer.public_key.hex()] = tally.erased
            erasures.present[writer.public_key.hex()] = tally.present
        findings += [_wrong_body(digest) for digest in bodies.result()]
    findings += erasures.wrong(source, writers)
    if source.whole:
        findings += [_dangling(one) for one in sorted(source.unknown({one for one in about if type(one) is bytes}))]
    return Verification(tuple(trees), tuple(findings), source.whole)


def _reports(source: Source, writer: Writer, executor: Executor) -> Iterator[SpanReport]:
    """Reports in order; checkpoints beyond the last record are checked with it."""
    spans = source.spans(writer)
    if not spans:
        findings = [found for one in writer.checkpoints if (found := wrong_signature(one, writer))]
        yield SpanReport(findings=findings)
        return
    ahead: deque[Future[SpanReport]] = deque()
    by_size = sorted(writer.checkpoints, key=lambda one: one.size)
    ends = [bisect_right(by_size, end, key=lambda one: one.size) for _, end in spans[:-1]]
    for span, (first, last) in zip(spans, pairwise([0, *ends, len(by_size)]), strict=True):
        ending = tuple(by_size[first:last])
        ahead.append(executor.submit(check_span, source, replace(writer, checkpoints=ending), span))
        if len(ahead) > _MOST_AHEAD:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _with_kept(writers: list[Writer], kept: Sequence[Signed]) -> tuple[list[Writer], list[Finding]]:
    """Add the checkpoints that were kept elsewhere to those of their writers."""
    findings = []
    by_name = {writer.name: writer for writer in writers}
    for one in kept:
        name = one.note.partition("\n")[0]
        if writer := by_name.get(name):
            by_name[name] = replace(writer, checkpoints=(*writer.checkpoints, one))
        else:
            message = f"the ledger has no writer {name[:80]}, who signed {one.size} records in {one.kept_in}"
            findings.append(Finding(Damage.TRUNCATED, message, name[:80], 0))
    return [by_name[writer.name] for writer in writers], findings


def _strangers(writers: Sequence[Writer], trusted: Sequence[bytes]) -> Iterator[Finding]:
    known = {writer.public_key for writer in writers}
    for writer in writers if trusted else ():
        if writer.public_key not in trusted:
            yield Finding(Damage.STRANGER, "its key is none of those that were given", writer.name)
    for key in trusted:
        if key not in known:
            yield Finding(Damage.TRUNCATED, "no record of the writer whose key was given is there", name_of(key))


def _wrong_bodies(source: Source) -> list[bytes]:
    return list(source.wrong_bodies())


def _wrong_body(digest: Any) -> Finding:
    name = digest.hex() if isinstance(digest, bytes) else repr(digest)[:80]
    return Finding(Damage.BODY_CHANGED, f"the body {name} is not what that digest was made of")


def _dangling(about: bytes) -> Finding:
    return Finding(Damage.DANGLING, f"a record is about {spelled_id(about)}, which does not exist")


@contextmanager
def _executor(records: int, processes: int) -> Iterator[Executor]:
    """Processes where they pay, and one thread elsewhere. What was not begun is not begun when the caller gives up."""
    count = processes or min(os.cpu_count() or 1, _MOST_PROCESSES)
    executor: Executor
    if records < _WORTH_PROCESSES or count == 1:
        executor = ThreadPoolExecutor(1)
    else:
        executor = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield executor
    except BrokenProcessPool as error:
        raise LedgerError(
            "a process that was verifying died, perhaps for want of memory",
            hint="share the work among fewer: --processes 1",
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)
