"""Where the service may listen, and for which hosts it answers there."""

from ipaddress import ip_address

from env_server.config import ServiceConfig
from env_server.serving_settings import ServerConfig
from rewarders.errors import ConfigError

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def require_keys_outside_loopback(config: ServiceConfig) -> None:
    """Raises ConfigError: others would reach the service, and it would ask them for nothing."""
    if not config.keys.enabled and not is_loopback(config.server.host):
        raise ConfigError(
            f"server.host is {config.server.host!r}, outside loopback, and the service asks for no keys",
            hint="set enabled = true in [keys], and make keys with `env-server keys add`; or listen on 127.0.0.1",
        )


def allowed_hosts(server: ServerConfig) -> frozenset[str] | None:
    """Names that `Host` may have; None where any will do.

    A page that has its own name point at our address (DNS rebinding) sends that name. On loopback that has to be
    caught; elsewhere the page has no key.
    """
    if not server.hosts and not is_loopback(server.host):
        return None
    return _LOOPBACK_NAMES | {host.lower().strip("[]") for host in (server.host, *server.hosts)}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
