"""Failures of the sandbox itself. What the program did is never an exception: it is an `Outcome`.

SandboxFault
├── SandboxUnavailable     could not be started just now; worth another try
├── SandboxMisconfigured   cannot work on this machine as configured
└── SandboxLost            vanished while the program ran
"""


class SandboxFault(Exception):
    """The sandbox failed, so nothing is known about the program."""

    retryable = False


class SandboxUnavailable(SandboxFault):
    """No sandbox could be started just now."""

    retryable = True


class SandboxMisconfigured(SandboxFault):
    """This machine or this configuration cannot give the isolation that was asked for."""


class SandboxLost(SandboxFault):
    """The sandbox vanished in the middle of a run."""

    retryable = True
