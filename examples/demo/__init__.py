"""Five applications with one login: FastAPI, Starlette, Quart, Litestar and plain ASGI. Start it with `make demo`."""
