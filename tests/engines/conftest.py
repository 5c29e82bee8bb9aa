"""The engines side by side: each has a process of its own, with one server for all its tests."""

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep the tests of an engine together, in the order they are written in."""
    # At once: by the time items are ordered, groups have been told already.
    if item.path.is_relative_to(_HERE):
        engine = item.path.relative_to(_HERE).parts[0]
        item.add_marker(pytest.mark.xdist_group(engine))
