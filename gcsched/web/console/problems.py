"""Errors that only the console has; the others are those of the use cases."""

from gcsched.errors import GcschedError


class LoginNeeded(GcschedError):
    """The page needs a login, and the request has none that is valid."""

    def __init__(self) -> None:
        super().__init__("log in to see this page")


class ForeignOrigin(GcschedError):
    """A request to change something does not come from a page of this console."""

    def __init__(self) -> None:
        super().__init__(
            "nothing was done, because the request did not come from a page of this console; open"
            " the page here and try again"
        )


class UnknownPage(GcschedError):
    """The console has no page at this address."""

    def __init__(self) -> None:
        super().__init__("the console has no page at this address")


class UnknownTemplate(GcschedError):
    """The service has no template of this name."""

    def __init__(self) -> None:
        super().__init__("the service has no template of this name")


class WrongMethod(GcschedError):
    """The address exists for another method of HTTP."""

    def __init__(self) -> None:
        super().__init__("this address cannot be used like this; open the page that links to it")


class MalformedForm(GcschedError):
    """The body of a request is not a form."""

    def __init__(self) -> None:
        super().__init__("the form cannot be read; open the page again and send it from there")


class BodyTooLarge(GcschedError):
    """The form is larger than any that the console has."""

    def __init__(self) -> None:
        super().__init__("the form is too large; shorten its texts")


class ServiceStarting(GcschedError):
    """The service does not run yet, or not any more."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the service cannot be used yet: {reason}")
