"""Reads posted forms."""

from starlette.requests import Request

URLENCODED = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> dict[str, str] | None:
    """Return the fields of a posted form, or None if the body is not a form or repeats a field (RFC 6749 §3.2)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != URLENCODED:
        return None
    async with request.form() as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        return fields if len(fields) == len(form.multi_items()) else None
