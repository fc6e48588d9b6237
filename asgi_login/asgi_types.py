"""The types of ASGI, as applications and frameworks annotate them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

# Every framework annotates these with types of its own; structurally they are all this.
FrameworkScope: TypeAlias = Mapping[str, object]
FrameworkReceive: TypeAlias = Callable[[], Awaitable[Mapping[str, object]]]
FrameworkSend: TypeAlias = Callable[[Any], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
DoubleCallable: TypeAlias = Callable[[Any], Callable[[Any, Any], Awaitable[None]]]

if TYPE_CHECKING:
    from asgiref import typing as asgiref

    ASGIScope: TypeAlias = asgiref.Scope
    ASGIReceive: TypeAlias = asgiref.ASGIReceiveCallable
    ASGISend: TypeAlias = asgiref.ASGISendCallable
    AnyScope: TypeAlias = asgiref.Scope | FrameworkScope
    AnyApp: TypeAlias = asgiref.ASGIApplication | ASGIApp | DoubleCallable
else:
    # asgiref's own would make every start one to two milliseconds longer. These keep annotations resolvable, and
    # include them.
    ASGIScope = AnyScope = FrameworkScope
    ASGIReceive = FrameworkReceive
    ASGISend = FrameworkSend
    AnyApp = ASGIApp | DoubleCallable
