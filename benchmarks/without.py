"""A second copy of the library, out of which every line that a request runs for the sake of a store has been taken.

It is imported next to the first, from the same files. So the copy is as old as the library itself, and both can be
measured side by side in one run.
"""

import ast
import importlib
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_PACKAGE = "asgi_login"
# What a request runs, and what names a store there.
_MODULES = {
    "asgi_login.authenticator",
    "asgi_login.exchange.http_record",
    "asgi_login.exchange.record",
    "asgi_login.request_handler",
}
_ATTRIBUTES = {"_revocation", "listed", "watch", "_end_connections"}


def library_without_stores() -> ModuleType:
    """Import the copy. Its classes know nothing of those of the library."""
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_ours(name)}
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        copy = importlib.import_module(_PACKAGE)
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _is_ours(name)]:
            del sys.modules[name]
        sys.modules.update(kept)
    assert finder.removed >= len(_MODULES), "the lines about stores are not where they were"
    return copy


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == _PACKAGE


class _Finder:
    """Finds the modules of the library, to be compiled anew."""

    def __init__(self) -> None:
        self.removed = 0

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in _MODULES else None
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin, self)
        return spec


class _Loader(SourceFileLoader):
    """Compiles a module without its lines about stores."""

    def __init__(self, name: str, path: str, finder: _Finder) -> None:
        super().__init__(name, path)
        self._finder = finder

    def path_stats(self, path: str) -> Any:
        # So that no compiled file is read or written: those of the library have the same name.
        raise OSError

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:
        tree = ast.parse(data)
        stripped = _Stripper()
        tree = ast.fix_missing_locations(stripped.visit(tree))
        self._finder.removed += stripped.removed
        return compile(tree, path, "exec", dont_inherit=True)


class _Stripper(ast.NodeTransformer):
    """Removes what is only done with a store, and the assignments to what only a store needs."""

    def __init__(self) -> None:
        self.removed = 0

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return self._without(node, node.test)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return self._without(node, node.target)

    def _without(self, node: ast.AST, told_by: ast.AST) -> ast.AST | None:
        names = {one.attr for one in ast.walk(told_by) if isinstance(one, ast.Attribute)}
        if names & _ATTRIBUTES:
            self.removed += 1
            return None
        return self.generic_visit(node)
