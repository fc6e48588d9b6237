"""Two processes under load while their store is killed and cut off, for some seconds; `make soak` takes a minute."""

import pytest
from soak.processes import PATIENT
from soak.run import run
from stores.conftest import KINDS, needed

SECONDS = 6


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_ended_is_refused_and_what_has_not_is_accepted_while_the_store_fails(kind, tmp_path):
    record = run(SECONDS, tmp_path, kind=needed(kind), timeout=PATIENT).record
    assert record.violations == []
    assert len(record.ends) > 20
    assert {200, 401, 503} <= record.statuses.keys()
