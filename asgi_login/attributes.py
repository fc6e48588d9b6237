"""Refuses attributes that would have no effect on a public object."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar


class FixedAttributes:
    """Refuses to set an attribute that the object does not have: it would be taken and do nothing.

    Methods can be replaced, for tests; so can attributes that a class body declares, and names that begin with an
    underscore. Everything else is a setting, and its place is the constructor.
    """

    _declared: ClassVar[frozenset[str]] = frozenset()
    # For settings that are not in the constructor: where they are. Looked at after the constructors.
    _set_elsewhere: ClassVar[Mapping[str, str]] = MappingProxyType({})
    _otherwise: ClassVar[str] = "there is no such setting"

    def __init_subclass__(cls, **arguments: object) -> None:
        super().__init_subclass__(**arguments)
        cls._declared = cls._declared.union(*(getattr(base, "_declared", ()) for base in cls.__bases__))
        cls._declared |= frozenset(inspect.get_annotations(cls))

    def __setattr__(self, name: str, value: object) -> None:
        there = inspect.getattr_static(type(self), name, None)
        is_read_only = isinstance(there, property) and there.fset is None
        if is_read_only or not (there is not None or name in self._declared or name.startswith("_")):
            raise AttributeError(f"cannot set {name}: {self._place_of(name)}", name=name, obj=self)
        super().__setattr__(name, value)

    def _place_of(self, name: str) -> str:
        """Return where that is set."""
        for cls in type(self).__mro__:
            if "__init__" in vars(cls) and name in inspect.signature(vars(cls)["__init__"]).parameters:
                return f"pass {name}= to {type(self).__name__}(...): it cannot be changed later"
        return self._set_elsewhere.get(name, self._otherwise)
