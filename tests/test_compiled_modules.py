"""What mypyc would compile into something else, without a word."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def compiled_modules():
    (modules,) = (
        ast.literal_eval(node.value)
        for node in ast.parse((ROOT / "compiled" / "setup.py").read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "MODULES"
    )
    return modules


def caught(function):
    return {(one.name, ast.unparse(one.type)) for one in ast.walk(function) if isinstance(one, ast.ExceptHandler)}


@pytest.mark.parametrize("module", compiled_modules())
def test_a_name_stands_for_exceptions_of_one_type_in_a_function(module):
    # mypyc gives the name the type of the first `except`, and raises TypeError in the second.
    tree = ast.parse((ROOT / "asgi_login" / f"{module}.py").read_text())
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [name for name, _ in caught(function) if name is not None]
            assert len(names) == len(set(names)), f"{function.name}: name each exception differently"


@pytest.mark.parametrize("module", compiled_modules())
def test_an_exception_is_raised_without_its_cause_by_itself(module):
    # mypyc drops `from None`, so that a traceback would show what a parser says of a claim.
    tree = ast.parse((ROOT / "asgi_login" / f"{module}.py").read_text())
    for raised in ast.walk(tree):
        if isinstance(raised, ast.Raise) and raised.cause is not None:
            assert ast.unparse(raised.cause) == "None", f"line {raised.lineno}: mypyc drops this cause"
            assert ast.unparse(raised.exc).startswith("without_context("), (
                f"line {raised.lineno}: raise without_context(...) from None"
            )


@pytest.mark.parametrize("module", compiled_modules())
def test_nothing_is_awaited_while_an_exception_is_handled(module):
    # A compiled coroutine has no exception state of its own: what it handles while it waits is what all other tasks
    # handle, and two that overlap leave it there for good.
    tree = ast.parse((ROOT / "asgi_login" / f"{module}.py").read_text())
    handlers = [node.body for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    handlers += [node.finalbody for node in ast.walk(tree) if isinstance(node, ast.Try)]
    awaits = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    lines = [one.lineno for body in handlers for node in body for one in ast.walk(node) if isinstance(one, awaits)]
    assert not lines
