"""Why a request is not let in."""

from rewarders.errors import RequestError


class Unauthorized(RequestError):
    """It brought no key, or none that counts."""

    status = 401
    code = "unauthorized"


class Forbidden(RequestError):
    """Its key is good, but not for this; or a browser sent it for a page of somebody else's."""

    status = 403
    code = "forbidden"


class Misdirected(RequestError):
    """It was meant for another host."""

    status = 421
    code = "misdirected"


class Ambiguous(RequestError):
    """Its headers can be read in more than one way."""

    status = 400
    code = "ambiguous_request"
