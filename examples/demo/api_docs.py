"""The API documentation: Swagger UI from an installed package, so that the page needs no internet."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from examples.demo.pages import fill


def docs_routes(path: str, app: FastAPI) -> list[BaseRoute]:
    """Return the routes of the documentation of an application that is mounted at `path`."""

    async def docs(_request: Request) -> Response:
        # FastAPI's own page starts Swagger UI from an inline script, which the policy of this site forbids.
        return HTMLResponse(fill("docs", title=app.title, url=f"{path}{app.openapi_url}"))

    # This package is Swagger UI as it is published. Only its files are used, and none of its code is imported.
    files = StaticFiles(packages=[("flask_swagger_ui", "dist")])
    return [Route(f"{path}/docs", docs), Mount("/swagger-ui", files)]
