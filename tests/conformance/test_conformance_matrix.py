from pathlib import Path

import pytest
from conformance import matrix
from conformance.conftest import FRAMEWORKS


@pytest.fixture
def found(request):
    found = request.config.stash[matrix.FOUND]
    if found.modules != {one.name for one in Path(__file__).parent.glob("test_*.py")}:
        pytest.skip("only a run of the whole conformance suite finds everything")
    return found


def test_the_page_in_the_documentation_says_what_the_suite_found(found):
    assert matrix.FILE.read_text(encoding="utf-8") == matrix.render(found, FRAMEWORKS)


def test_no_framework_explains_what_is_not_tested(found):
    explained = {
        (framework.name, pattern)
        for framework in FRAMEWORKS
        for patterns in framework.differs.values()
        for pattern in patterns
    }
    assert explained == found.patterns
