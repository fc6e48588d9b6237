"""What the page on scaling out shows of a server and of the log is what works."""

import ast
import asyncio
import json
import re
import time
from pathlib import Path

import pytest
from stores.asking import following, until, verdict
from stores.tokens import token

import asgi_login
from asgi_login.redis import RedisStore
from asgi_login.stores import Device, Revocation

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "scale-out.md").read_text()
PACKAGE = Path(asgi_login.__file__).parent
# What is logged of a store: by the store itself, and where the request that waits for it ends.
ABOUT_STORES = [*PACKAGE.glob("stores/**/*.py"), *PACKAGE.glob("redis/*.py")]
ABOUT_REQUESTS = [
    PACKAGE / "exchange" / "open_connections.py",
    PACKAGE / "exchange" / "record.py",
    PACKAGE / "sessions" / "devices.py",
]


def test_the_server_of_the_compose_file_is_accepted_and_forgets_nothing_in_a_restart(make_server):
    _, *settings = json.loads(re.search(r"command: (\[.*?\])", PAGE, re.DOTALL)[1])
    server = make_server(*settings).start()
    assert asyncio.run(everything(server.url)) == "ended"
    server.kill()
    server.start()

    async def main():
        return await verdict(Revocation(RedisStore(server.url), "default", leeway=0, lives=900), old(sid="sid"))

    assert asyncio.run(main()) == "ended"


def test_the_user_of_the_servers_configuration_may_do_what_the_library_does_and_no_more(make_server):
    rules = re.search(r"^ *user (asgi-login .*)$", PAGE, re.MULTILINE)[1].split()
    server = make_server().start()
    assert server.say("ACL", "SETUSER", *rules) == b"+OK\r\n"
    url = server.url.replace("//", "//asgi-login:PASSWORD@")
    assert asyncio.run(everything(url)) == "ended"
    assert server.say("ACL", "LOG") == b"*0\r\n"
    assert server.say("ACL", "DRYRUN", "asgi-login", "FLUSHALL") != b"+OK\r\n"
    assert server.say("ACL", "DRYRUN", "asgi-login", "GET", "another") != b"+OK\r\n"


async def everything(url):
    """Do what a manager does with a store, and return what a process that starts later knows of an ended session."""
    here, there = (Revocation(RedisStore(url), "default", leeway=0, lives=900) for _ in range(2))
    await following(here, there)
    soon = time.time() + 900
    await here.end_token("jti", soon)
    await here.end_session("sid", soon)
    await here.end_user("ada", keep="mine")
    await here.remember_device("bob", Device("his", time.time(), time.time(), soon, "a browser"))
    await until(lambda: there.ends(token(time.time(), sid="sid")))
    assert [one.session_id for one in await there.devices("bob")] == ["his"]
    return await verdict(Revocation(RedisStore(url), "default", leeway=0, lives=900), old(sid="sid"))


def old(**claims):
    return token(time.time() - 60, sub="bob", **claims)


def logged(files):
    """Return the level and the text of each line that these files log."""
    found = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        match node:
            case ast.Call(ast.Attribute(ast.Name("log" | "_log"), level), [ast.Constant(text), *_]):
                found.add(({"exception": "ERROR"}.get(level, level.upper()), text.replace("%s", "…")))
    return found


def shown():
    table = PAGE.partition("## Monitor")[2].partition("## ")[0]
    return set(re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \|", table, re.MULTILINE))


# Not from a store that processes share; of a hook that is not public; and of requests from other sites.
NOT_SHOWN = ("MemoryStore remembers", "a function that was subscribed", "…: login or logout refused by")


def test_the_page_shows_every_line_that_is_logged_of_a_store():
    lines = {line for line in logged([*ABOUT_STORES, *ABOUT_REQUESTS]) if not line[1].startswith(NOT_SHOWN)}
    assert len(lines) > 5
    assert shown() == lines


@pytest.mark.parametrize("start", NOT_SHOWN)
def test_what_the_page_need_not_show_is_still_logged(start):
    assert [text for _, text in logged([*ABOUT_STORES, *ABOUT_REQUESTS]) if text.startswith(start)] != []
