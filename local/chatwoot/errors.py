"""Chatwoot's error forms, raised where the trouble is seen and answered in one place (app.py).

Refusal
├── 401/404/422 `{"error": …}`      unauthorized, not_found, unprocessable
├── 422 `{"message", "attributes"}` invalid: the record does not validate
├── 404 `{"status", "error"}`       missing_on_platform
├── 404 an HTML page                no_such_route
└── 500 `{"status", "error"}`       crash: what Chatwoot does not rescue
"""

from typing import NoReturn

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from local.chatwoot.model.rows import JsonObject

_PAGE = "<!DOCTYPE html>\n<html>\n<head>\n  <title>The page you were looking for doesn't exist (404)</title>\n</head>\n"


class ErrorResponse(Exception):
    def __init__(self, status: int, body: JsonObject) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


class RecordInvalid(Exception):
    """Texts by attribute; several per attribute are possible."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__(errors)
        self.errors = errors


def unauthorized(text: str) -> NoReturn:
    raise ErrorResponse(401, {"error": text})


def not_found() -> NoReturn:
    raise ErrorResponse(404, {"error": "Resource could not be found"})


def missing_on_platform() -> NoReturn:
    raise ErrorResponse(404, {"status": 404, "error": "Not Found"})


def unprocessable(text: str) -> NoReturn:
    raise ErrorResponse(422, {"error": text})


def crash() -> NoReturn:
    raise ErrorResponse(500, {"status": 500, "error": "Internal Server Error"})


async def answer_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, ErrorResponse)
    return JSONResponse(error.body, error.status)


async def answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RecordInvalid)
    texts = [f"{attribute.replace('_', ' ').capitalize()} {text}" for attribute, text in error.errors]
    attributes = list(dict.fromkeys(attribute for attribute, _ in error.errors))
    return JSONResponse({"message": ", ".join(texts), "attributes": attributes}, 422)


async def no_such_route(request: Request, error: Exception) -> Response:
    return HTMLResponse(_PAGE, 404)


def retry_later() -> Response:
    """rack-attack's answer: text, and no Retry-After."""
    return Response("Retry later\n", 429, headers={"content-type": "text/plain"})
