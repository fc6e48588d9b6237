"""What the sources tell mypyc, which makes the compiled wheel; it does nothing where nothing is compiled."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

ClassT = TypeVar("ClassT", bound=type)

if TYPE_CHECKING:
    # mypyc knows it by this name.
    from mypy_extensions import mypyc_attr as mypyc_attr  # noqa: PLC0414
else:

    def mypyc_attr(**_settings: object) -> Callable[[ClassT], ClassT]:
        """Return a decorator that leaves a class as it is."""
        return lambda decorated: decorated
