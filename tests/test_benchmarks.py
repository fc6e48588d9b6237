"""The benchmarks run: their numbers are for people to read, so that nothing here looks at a time."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from xml.etree import ElementTree as ET

import anyio
import pytest

from benchmarks import budget, ours, server_apps, targets
from benchmarks.chart import Bar, Group, bar_chart
from benchmarks.cheapest import cheapest
from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import Request, answer, bearer, forged
from benchmarks.entrants import CACHED_FLOOR
from benchmarks.frameworks import RAW, page
from benchmarks.imports import imports
from benchmarks.instructions import CORE, instructions
from benchmarks.keys import SECRET
from benchmarks.pages import with_results
from benchmarks.report import Section, Table, with_tables
from benchmarks.runner import Samples
from benchmarks.server_cases import ON_FASTAPI
from benchmarks.serving import missing_for_stores
from benchmarks.store_requests import BEARER, NONE, REDIS, REMOVED, SESSION
from benchmarks.stores import store_targets
from benchmarks.target import Results, Target, figure_ratio
from benchmarks.without import library_without_stores

ROOT = Path(__file__).parent.parent
SECTIONS = ["added", "anatomy", "verification", "growth", "signing", "stores", "imports"]
SVG = "{http://www.w3.org/2000/svg}"
PEERS = ["fastapi-login", "fastapi-users", "authx", "starlette-login", "quart-auth"]


@pytest.fixture(scope="module")
def quick_run():
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", *SECTIONS]
    return subprocess.run(  # noqa: S603 - our own command
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    ).stdout


def test_a_quick_run_prints_a_table_of_each_section(quick_run):
    for title in (
        "Targets",
        "Added to a request, by framework",
        "Added to a request",
        "The anatomy of a cached bearer token",
        "Verification alone, HS256",
        "Verification alone, RS256 (2048 bits)",
        "Growth of a request's cost",
        "Verification after many distinct tokens",
        "Hostile headers",
        "Signing RS256 (2048 bits)",
        "Stores",
        "Requests with a store, and without",
        "The step that a store adds to a request, alone",
        "The memory of what was ended",
        "Import",
        "The instructions of an import",
    ):
        assert f"## {title}\n" in quick_run


@pytest.mark.parametrize(
    "name", [ours.CACHED, ours.COLD, ours.CACHED_RS256, ours.SESSION, ours.ANONYMOUS, CACHED_FLOOR]
)
def test_what_the_targets_are_judged_by_is_measured(quick_run, name):
    assert f"| {name} " in quick_run


@pytest.mark.skipif(missing_for_stores() is not None, reason=str(missing_for_stores()))
@pytest.mark.parametrize(
    "name",
    [
        f"{BEARER}, {REDIS} - {NONE}",
        f"{SESSION}, {REDIS} - {NONE}",
        f"{BEARER}, {NONE} - {REMOVED}",
        f"{SESSION}, {NONE} - {REMOVED}",
        "the follower, while nothing happens, of a processor",
        "logged out in one process, refused by another, 99th percentile",
    ],
)
def test_what_a_store_may_cost_is_measured(quick_run, name):
    (row,) = [line for line in quick_run.splitlines() if line.startswith(f"| {name} ")]
    assert "not measured" not in row


def test_the_copy_without_stores_lies_beside_the_library_and_has_lost_the_step():
    before = dict(sys.modules)
    copy = library_without_stores()
    assert sys.modules == before
    manager = copy.LoginManager(SECRET, store=copy.MemoryStore())
    manager.user_loader(ours.load_user)
    token = ours.access_token(manager)
    anyio.run(manager.revoke_token, token)
    assert answer(copy.AuthMiddleware(page, manager), bearer(token))[0] == 200


def test_tables_take_the_place_of_those_of_their_titles_and_leave_the_others():
    one, other = (Table(title, ["", "n"], [["x", "1"]], ["A note."]) for title in ("One", "Other"))
    text = "# Report\n\nAll.\n\n" + "\n".join(table.markdown() for table in (one, other))
    assert with_tables(text, []) == text
    changed = Table("One", ["", "n"], [["x", "2"]])
    new = Table("New", ["", "n"], [["x", "3"]])
    found = with_tables(text, [changed, new])
    assert found == text.replace(one.markdown(), changed.markdown()) + "\n" + new.markdown()


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_is_measured_or_said_to_be_missing(quick_run, peer):
    try:
        version(peer)
    except PackageNotFoundError:
        assert f"Not measured: {peer}: " in quick_run
    else:
        assert f"| {peer}, " in quick_run


def test_what_fastapis_tutorial_teaches_is_measured(quick_run):
    assert "| FastAPI's tutorial, Depends + PyJWT, HS256 " in quick_run


def test_no_contestant_answers_wrongly(quick_run):
    assert "answered" not in quick_run.replace("Every contestant answered", "")


def test_a_quick_run_leaves_the_results_as_they_are(quick_run):
    assert quick_run.endswith("RESULTS.md and the chart are left as they are: only a full run writes them.\n")


def test_an_application_that_lets_everybody_in_is_not_measured():
    async def let_in(scope, receive, send):
        scope["state"]["user"] = "ada"
        await page(scope, receive, send)

    open_door = contestant("open", Kind.PEER, RAW, let_in, good=bearer("a"), bad=bearer("b"), none=Request())
    assert open_door.problem() == "answered 200 instead of 401 to a bad credential"


def test_differences_and_ratios_are_taken_round_by_round():
    noisy, bare = Samples((3.0, 30.0, 6.0)), Samples((1.0, 10.0, 2.0))
    assert noisy.minus(bare).values == (2.0, 20.0, 4.0)
    assert noisy.over(bare).values == (3.0, 3.0, 3.0)
    assert (noisy.median, Samples((5.0,)).low) == (6.0, 5.0)


@pytest.mark.parametrize("case", [case for case in ON_FASTAPI if case.base], ids=lambda case: case.name)
def test_what_is_served_tells_a_good_token_from_a_forged_one_and_from_none(case):
    app = getattr(server_apps, case.app)()
    sent = [bearer(case.token), bearer(forged(case.token)), Request()]
    assert [answer(app, request)[0] for request in sent] == [200, 401, 401]


def test_the_cheapest_of_ours_stands_next_to_the_cheapest_peer_or_what_is_written_by_hand():
    def one(name, kind, base, status=200):
        return Contestant(name, kind, base, page, Request(), status, {})

    entrants = [
        one("ours, nobody", Kind.OURS, RAW, 401),
        one("ours", Kind.OURS, RAW),
        one("ours, slower", Kind.OURS, RAW),
        one("dict", Kind.FLOOR, RAW),
        one("ours, there", Kind.OURS, "Framework"),
        one("peer", Kind.PEER, "Framework"),
        one("peer, slower", Kind.PEER, "Framework"),
    ]
    found = cheapest(entrants, {entrant.name: len(entrant.name) for entrant in entrants})
    names = {base: [entrant.name for entrant in both] for base, both in found.items()}
    assert names == {RAW: ["ours", "dict"], "Framework": ["ours, there", "peer"]}


def test_the_bars_of_the_chart_are_what_is_bare_and_what_is_added_on_one_scale():
    chart = bar_chart("a < b", [Group("A", 20, [Bar("one", 5, "ours")]), Group("B", 40, [Bar("two", 10, "peer")])])
    svg = ET.fromstring(chart)  # noqa: S314 - our own drawing
    rects = [(rect.get("class"), float(rect.get("width"))) for rect in svg.iter(f"{SVG}rect")][1:]
    assert [kind for kind, _ in rects] == ["bare", "bare", "ours", "bare", "bare", "peer"]
    assert [width / rects[2][1] for _, width in rects] == pytest.approx([4, 4, 1, 8, 8, 2], rel=0.01)


def test_a_page_is_given_the_columns_and_rows_that_it_asks_for():
    table = Table("Targets", ["", "measured", "more", ""], [["a", "1", "x", "met"], ["b", "2", "y", "missed"]])
    page = "Before.\n\n<!-- RESULTS.md: Targets | ; measured | missed -->\nold\n<!-- end -->\n\nAfter.\n"
    found = with_results(page, "# All\n\n" + table.markdown())
    wanted = Table("", ["", "measured"], [["b", "2"]]).lines()
    assert found == page.replace("old\n", f"\n{wanted}\n\n")
    assert with_results(found, "# All\n\n" + table.markdown()) == found


@pytest.mark.parametrize("asked", ["Costs", "Times | µs", "Times | ms; µs"])
def test_a_page_that_asks_for_what_is_not_there_is_told_so(asked):
    with pytest.raises(ValueError, match=r"RESULTS\.md has no (table|column)"):
        with_results(f"<!-- RESULTS.md: {asked} -->\n<!-- end -->", Table("Times", ["", "ms"], [["a", "1"]]).markdown())


def test_the_page_about_performance_shows_the_committed_results():
    page = (ROOT / "docs" / "explanation" / "performance.md").read_text()
    assert with_results(page, (ROOT / "benchmarks" / "RESULTS.md").read_text()) == page


@pytest.mark.parametrize("table", [targets.targets([]), store_targets([])], ids=lambda table: table.title)
def test_the_committed_results_are_judged_by_the_targets_of_today(table):
    asked = f"<!-- RESULTS.md: {table.title} | ; target -->\n<!-- end -->"
    committed = (ROOT / "benchmarks" / "RESULTS.md").read_text()
    assert with_results(asked, committed) == with_results(asked, table.markdown())


def test_a_request_is_over_budget_when_it_takes_more_of_the_dicts_than_it_may():
    allowed = {CACHED_FLOOR: 1_000, **dict.fromkeys(CORE, 5_000)}
    # Of another build of Python, whose every instruction costs one and a half.
    counts = {CACHED_FLOOR: 1_500, **dict.fromkeys(CORE, 7_500), ours.SESSION: 7_600, ours.COLD: 7_700}
    (problem,) = budget.verdicts(counts, allowed)
    assert problem.startswith(f"{ours.COLD} takes 7,700 instructions, 2.7% more than its budget of 7,500: ")


@pytest.mark.parametrize(("one", "other"), targets.IN_FRAMEWORKS)
def test_what_is_compared_within_a_framework_is_measured(quick_run, one, other):
    for name in (one, other):
        assert f"| {name} " in quick_run


def test_a_target_in_instructions_is_judged_by_the_ratio_of_two_figures():
    met, missed = (Target("", limit, "", figure_ratio("ours", "other")) for limit in (1 / 2, 1 / 3))
    results = Results([Section([], figures={"ours": 2.0, "other": 5.0})])
    assert met.row(results) == ["", "at most 0.5", "0.4", "", "met"]
    assert missed.row(results)[-1] == "missed"
    assert met.row(Results([]))[-1] == "not measured"


def test_where_there_is_no_valgrind_a_sentence_takes_the_place_of_the_counts(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    sentence = "Instructions are not counted: there is no valgrind."
    results = "\n".join(table.markdown() for table in instructions().tables)
    asked = "<!-- RESULTS.md: Instructions added to a request on plain ASGI -->\n"
    assert with_results(f"{asked}<!-- end -->", results) == f"{asked}\n{sentence}\n\n<!-- end -->"
    assert imports(rounds=1).tables[1].markdown().endswith(f"\n\n{sentence}\n")
    assert budget.main([]) == "Instructions are not counted: there is no valgrind."
