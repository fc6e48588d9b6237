"""The application's own exception in place of ours: checked once, made anew for each request."""

from typing import TypeAlias

ExceptionOrClass: TypeAlias = Exception | type[Exception]


def new_exception(exception: ExceptionOrClass) -> Exception:
    """Return an exception to raise: an instance of the class, or a copy of the instance.

    Raising one instance again and again would chain the traceback of every request to it.
    """
    if isinstance(exception, type):
        return exception()
    copy = type(exception).__new__(type(exception), *exception.args)
    copy.args = exception.args
    copy.__dict__.update(exception.__dict__)
    return copy


def check_exception(argument: str, exception: ExceptionOrClass | None) -> None:
    """Validate an exception, or its class, that is to be raised in place of ours.

    Raises:
        TypeError: It is neither, or cannot be made anew for each request.
    """
    if exception is None:
        return
    cls = exception if isinstance(exception, type) else type(exception)
    if not issubclass(cls, Exception):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} is an exception or its class, not {exception!r}")
    try:
        new_exception(exception)
    except TypeError:
        raise TypeError(
            f"{argument}: {cls.__name__} cannot be made anew for each request: pass a class that takes no arguments, "
            "or an instance of one that can be copied"
        ) from None
