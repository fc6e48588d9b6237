"""A page in a real browser that holds a WebSocket and a stream of events open, and what it hears of a logout."""

import anyio
import pytest
from browser.sites import serving
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

from asgi_login import CookieTransport, Gate, LoginManager, MemoryStore, login_required
from asgi_login.starlette import install

PAGE = """<!doctype html><title>desk</title>
<p id="socket">connecting</p><p id="events">connecting</p>
<script>
const show = (name, text) => { document.getElementById(name).textContent = text };
const socket = new WebSocket(`ws://${location.host}/live/socket`);
socket.onmessage = message => show("socket", message.data);
socket.onclose = event => show("socket", `closed ${event.code} ${event.reason}`);
const events = new EventSource("/live/events");
events.onmessage = message => show("events", message.data);
// 2: the browser has given up, because it connected again and was refused.
events.onerror = () => { if (events.readyState === 2) show("events", "refused") };
</script>"""


@pytest.fixture(scope="module")
def desk(profile):
    manager = LoginManager[str](
        "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST", transports=[CookieTransport("desk")], store=MemoryStore()
    )

    @manager.user_loader
    async def load_user(sub):
        return sub

    async def login(request):
        manager.login_user(request, request.path_params["sub"])
        return PlainTextResponse("hello")

    async def logout(request):
        manager.logout_user(request)
        return PlainTextResponse("goodbye")

    @login_required
    async def page(request):
        return HTMLResponse(PAGE)

    async def socket(websocket):
        await websocket.accept()
        await websocket.send_text(f"open for {websocket.user}")
        async for _ in websocket.iter_text():
            pass

    async def events(request):
        async def parts():
            while True:
                yield f"data: open for {request.user}\n\n"
                await anyio.sleep(0.05)

        return StreamingResponse(parts(), media_type="text/event-stream")

    live = Starlette(routes=[WebSocketRoute("/socket", socket), Route("/events", events)])
    app = Starlette(
        routes=[
            Route("/login/{sub}", login, methods=["POST"]),
            Route("/logout", logout, methods=["POST"]),
            Route("/", page),
            Mount("/live", app=Gate(live, end_connections=True)),
        ]
    )
    install(app, manager)
    with serving(app) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_logout_in_one_tab_closes_what_the_other_holds_open(browser, desk):
    context = browser.request
    assert context.post(f"{desk}/login/ada").ok
    tab = browser.new_page()
    tab.goto(desk)
    for name in ("socket", "events"):
        tab.locator(f"#{name}", has_text="open for ada").wait_for()
    assert context.post(f"{desk}/logout").ok
    tab.locator("#socket", has_text="closed 4401 invalid_token").wait_for()
    tab.locator("#events", has_text="refused").wait_for()
