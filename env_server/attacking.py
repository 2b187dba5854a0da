"""`env-server sandbox attack`: what gets out of this backend."""

from collections.abc import Sequence

from env_server.progress import progress_bar
from env_server.sandbox_keeper import Backend
from rewarders.errors import ConfigError
from sandboxes.attack_suite import AttackResult, Probe, attack, probes, select


async def besiege(backend: Backend, names: Sequence[str]) -> list[AttackResult]:
    """Start a backend, let the attacks of these names or categories, or all, try to get out of it, and close it.

    Raises:
        ConfigError: there is no attack of that name.
        SandboxFault: the backend does not start; `SandboxMisconfigured` when its own canaries got out.
    """
    chosen = _chosen(names)
    results = []
    try:
        await backend.start()
        with progress_bar("attacking", len(chosen)) as advance:
            async for result in attack(backend, chosen):
                results.append(result)
                advance(1)
    finally:
        await backend.close()
    return results


def _chosen(names: Sequence[str]) -> Sequence[Probe]:
    try:
        return select(names) if names else probes()
    except ValueError as error:
        categories = ", ".join(dict.fromkeys(probe.category for probe in probes()))
        raise ConfigError(f"--only: {error}", hint=f"categories: {categories}; or try all, without --only") from error
