"""The picture of the house: it shows today's imports, and takes new rooms without a change of the script."""

import sys

import pytest

from docs import house

# What the package has, and rooms of every kind that it could get: a file or package, and what it imports.
GROWN = {
    "__init__": "manager",
    "manager": "stores",
    "scope": "",
    "stores/__init__": "stores.memory",
    "stores/memory": "stores.protocol",
    "stores/protocol": "scope",
    "oauth/__init__": "oauth.forms",
    "oauth/forms": "manager",
    "json": "stores",
    "testing": "manager",
}


@pytest.fixture
def grown(tmp_path, monkeypatch):
    for name, imported in GROWN.items():
        file = tmp_path / "grown" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"import grown.{imported}" if imported else "", "import json" if name == "json" else ""]
        file.write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "grown", raising=False)
    return house.rooms("grown")


def test_the_picture_in_the_page_is_what_the_imports_make():
    drawn = house.drawn_into(house.PAGE.read_text(), house.picture(house.rooms("asgi_login")))
    assert house.PAGE.read_text() == drawn, "run: make house"


def test_the_picture_shows_every_room_and_only_arrows_that_point_down():
    rooms = house.rooms("asgi_login")
    heights = house.floors({name: room.imports for name, room in rooms.items()})
    lines = house.picture(rooms).splitlines()
    arrows = [tuple(line.split(" --> ")) for line in map(str.strip, lines) if "-->" in line]
    assert len(arrows) >= len(rooms) - 1
    assert [arrow for arrow in arrows if heights[arrow[0]] <= heights[arrow[1]]] == []
    assert {line.split("[")[0].strip() for line in lines if ":::" in line} == rooms.keys()


def test_the_kinds_of_the_rooms_are_those_that_the_page_explains():
    kinds = {}
    for name, room in house.rooms("asgi_login").items():
        kinds.setdefault(room.kind, set()).add(name)
    assert kinds["adapter"] >= {"starlette", "fastapi", "quart", "litestar", "testing"}
    assert kinds["wing"] >= {"tokens", "transports", "sessions", "exchange"}
    assert kinds["front"] >= {"middleware", "authenticator", "auth", "config", "errors", "scope"}


def test_every_package_has_its_paragraph_that_names_each_of_its_files():
    paragraphs = house.PAGE.read_text().split("\n\n")
    for name, room in house.rooms("asgi_login").items():
        if room.files:
            (paragraph,) = [text for text in paragraphs if text.startswith(f"**{name}** ")]
            assert [file for file in room.files if f"`{file}`" not in paragraph] == []


def test_new_wings_and_adapters_find_their_place(grown):
    assert {name: room.kind for name, room in grown.items()} == {
        "manager": "front",
        "scope": "front",
        "stores": "wing",
        "oauth": "wing",
        "json": "adapter",
        "testing": "adapter",
    }
    assert grown["stores"].files == ("memory", "protocol")


def test_an_arrow_that_a_longer_way_implies_is_left_out():
    imports = {"top": ["middle", "bottom"], "middle": ["bottom"], "bottom": []}
    assert house.arrows(imports) == [("top", "middle"), ("middle", "bottom")]


def test_imports_in_a_circle_have_no_floors():
    with pytest.raises(ValueError, match="a -> b -> a"):
        house.floors({"a": ["b"], "b": ["a"]})


def test_a_page_without_a_picture_is_refused():
    with pytest.raises(ValueError, match="no block of Mermaid"):
        house.drawn_into("# The house\n", "flowchart TD\n")
