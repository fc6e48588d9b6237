"""A pytest plugin for `make mutate`: parametrized tests are named, and selected, as a whole."""

from dataclasses import replace


def pytest_itemcollected(item):
    # mutmut runs pytest again and again in one process, and there pytest does not find all ids with escapes again.
    item._id = replace(item._id, params=None)
