"""`env-server sandbox`: doctor, attack, sweep. Exit codes as everywhere: 1 is a backend that must not be used."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from env_server.config import ServiceConfig, load_config
from env_server.terminal import AsJson, ConfigFile, err, mark, out, plain, print_json
from rewarders.errors import ConfigError
from sandboxes.errors import SandboxFault

if TYPE_CHECKING:
    from env_server.diagnosing import Diagnosis
    from env_server.sandbox_keeper import Backend
    from sandboxes.attack_suite import AttackResult

sandbox = typer.Typer(no_args_is_help=True, help="The place where programs run that nobody trusts.")

UNTRIED = "[dim]--[/]  "
BackendName = Annotated[str | None, typer.Option("--backend", "-b", help="namespaces, docker or remote.")]
Names = Annotated[list[str] | None, typer.Option("--only", help="Id of an attack, or a category. May be repeated.")]


@sandbox.command()
def doctor(config: ConfigFile = None, backend: BackendName = None, as_json: AsJson = False) -> None:
    """Say which layers hold on this machine, what to do about the others, and which languages there are."""
    from env_server.diagnosing import examine

    found = asyncio.run(examine(_backend(config, backend)))
    if as_json:
        print_json(found.as_json())
    else:
        _print_diagnosis(found)
    raise typer.Exit(0 if found.usable else 1)


@sandbox.command()
def attack(config: ConfigFile = None, backend: BackendName = None, only: Names = None, as_json: AsJson = False) -> None:
    """Let the shipped attacks try to get out. Leaves with 1 if one does."""
    from env_server.attacking import besiege

    try:
        results = asyncio.run(besiege(_backend(config, backend), only or []))
    except SandboxFault as fault:
        err.print(f"[red]error:[/] {plain(str(fault))}")
        raise typer.Exit(3 if fault.retryable else 1) from fault
    if as_json:
        print_json([vars(result) for result in results])
    else:
        _print_attacks(results)
    raise typer.Exit(0 if all(result.contained for result in results) else 1)


@sandbox.command()
def sweep(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Remove what services that were killed left behind: control groups, work folders, containers."""
    from sandboxes import sweep as broom

    removed = broom.sweep(load_config(config, {}).sandbox.cgroup)
    if as_json:
        print_json(removed)
        return
    for what in removed:
        out.print(plain(what))
    err.print(f"{len(removed)} left behind and removed" if removed else "nothing was left behind")


def _backend(config: ConfigFile, name: str | None) -> "Backend":
    from env_server.app import build_sandbox

    loaded: ServiceConfig = load_config(config, {"sandbox.backend": name})
    backend = build_sandbox(loaded.sandbox)
    if backend is None:
        raise ConfigError("[sandbox] backend is 'off'", hint="name one: --backend namespaces")
    return backend


def _print_diagnosis(found: "Diagnosis") -> None:
    layers = [(mark(one.holds), one.name, _with_remedy(one.detail, one.remedy)) for one in found.layers]
    spoken = found.languages
    languages = [(UNTRIED if one.missing else mark(True), one.name, one.missing or one.version) for one in spoken]
    conformance = [(mark(one.ok), one.name, one.detail) for one in found.conformance]
    for title, rows in (("layers", layers), ("languages", languages), ("conformance", conformance)):
        _print_rows(title, rows)
    verdict = "[green]may be used[/]" if found.usable else "[red]must not be used[/]"
    out.print(f"{plain(found.backend)} {verdict}{plain(f': {found.trouble}' if found.trouble else '')}")


def _print_rows(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    if rows:
        out.print(f"[bold]{title}[/]")
    width = max((len(name) for _, name, _ in rows), default=0)
    for begin, name, detail in rows:
        out.print(f"  {begin} {plain(name):<{width}}  {plain(detail)}".rstrip())


def _with_remedy(detail: str, remedy: str) -> str:
    return f"{detail}. To do: {remedy}" if remedy else detail


def _print_attacks(results: "list[AttackResult]") -> None:
    for category, ended in groupby(results, key=lambda result: result.category):
        rows = [(mark(one.contained) if one.tried else UNTRIED, one.id, one.detail) for one in ended]
        _print_rows(category, rows)
    escaped = [result.id for result in results if not result.contained]
    tried = sum(result.tried for result in results)
    out.print(f"{tried} attacks tried, {len(escaped)} got through{plain(': ' + ', '.join(escaped) if escaped else '')}")
