"""`[keys]`: whether the service asks for keys."""

from env_server.section import Section


class KeysConfig(Section):
    """`[keys]`: who may ask."""

    enabled: bool = False
    """Every request but `/healthz` and `/readyz` has to bring a key that `env-server keys add` made. Without, the
    service listens on loopback alone. That there are keys turns nothing on; that the last is revoked, nothing off."""
