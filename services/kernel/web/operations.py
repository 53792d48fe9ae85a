"""What a process answers over HTTP besides its doors: from a line of each come its route, its guard and its OpenAPI."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaMode
from starlette.requests import Request
from starlette.responses import Response

from services.kernel.errors import Refusal, describe
from services.kernel.person_tokens import TokenScope
from services.kernel.web.callers import Callers, refusal

_AT_ONCE = 4  # each verb opens connections of its own
_WAIT_SECONDS = 10.0
_MOST_BYTES = 256 * 1024
_TEXT = {"type": "string"}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": _TEXT}}
_SCHEMAS = "#/components/schemas/{model}"  # by name in one place: a schema's own "#/$defs" would be the document's
Body = TypeVar("Body", bound=BaseModel)
AnswersOperation = Callable[[Request], Awaitable[Any]]
AddsRoute = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb at one path; a query has no other names than these, with their meaning, a body no other form."""

    method: str
    path: str
    summary: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: type[BaseModel] | None = None
    people: TokenScope | None = None  # the scope of a person's token that may; None: the operator alone
    also: Mapping[int, str] = field(default_factory=dict)  # statuses beside those that each may answer
    answer: Any = None  # the type of what it answers, where a model says it

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.method} {self.path}"


class Operations:
    """Those of one process; without an installation's token it answers none."""

    def __init__(self, callers: Callers, route: AddsRoute, *, enabled: bool) -> None:
        self._callers = callers
        self._route = route
        self._enabled = enabled
        self._room = asyncio.Semaphore(_AT_ONCE)
        self.all: list[Operation] = []

    def add(self, operation: Operation, answer: AnswersOperation) -> None:
        """What `answer` returns goes out as JSON; a Refusal is a 400 with its sentence."""
        self.add_as_it_is(operation, self._endpoint(operation, answer))

    def add_as_it_is(self, operation: Operation, endpoint: Callable[[Request], Awaitable[Response]]) -> None:
        """The same where the endpoint makes its own responses."""
        if self._enabled:
            self.all.append(operation)
            guarded = self._callers.guarded(endpoint, people=operation.people)
            self._route(operation.path, guarded, methods=(operation.method,))

    def _endpoint(self, operation: Operation, answer: AnswersOperation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            query_of(request, operation.query, f"{operation.path} takes {', '.join(operation.query) or 'nothing'}")
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await self._room.acquire()
            except TimeoutError:
                return refusal(503, "others are being answered", {"retry-after": "10"})
            try:
                content = await answer(request)
            finally:
                self._room.release()
            return Response(orjson.dumps(content, default=_plain), media_type="application/json")

        return endpoint

    def description(self, release: str) -> dict[str, Any]:
        """The OpenAPI 3.1 document."""
        forms: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = []
        for one in self.all:
            forms += [(one.name, "validation", TypeAdapter(one.body))] if one.body else []
            forms += [(one.name, "serialization", TypeAdapter(one.answer))] if one.answer else []
        named, models = TypeAdapter.json_schemas(forms, ref_template=_SCHEMAS)
        paths: dict[str, dict[str, Any]] = {}
        for one in self.all:
            body, answer = named.get((one.name, "validation")), named.get((one.name, "serialization"), {})
            paths.setdefault(one.path, {})[one.method.lower()] = _described(one, body, answer)
        return {
            "openapi": "3.1.0",
            "info": {"title": "Wootstream's verbs", "version": release},
            "security": [{"token": []}],
            "paths": paths,
            "components": {
                "schemas": models.get("$defs", {}) | {"Error": _ERROR},
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }


def query_of(request: Request, known: Collection[str], takes: str) -> dict[str, str]:
    """The request's query. Raises Refusal that says what this path `takes` where there is another word than the known:
    passed over, it would be answered by something else than was asked for."""
    if unknown := request.query_params.keys() - set(known):
        raise Refusal(f"{', '.join(sorted(unknown))[:200]}: {takes}")
    return dict(request.query_params.items())


async def body_as(request: Request, form: type[Body]) -> Body:
    """The request's JSON as this form. Raises Refusal, which quotes nothing of it."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > _MOST_BYTES:
            raise Refusal(f"the body is larger than {_MOST_BYTES:,} bytes")
    try:
        return form.model_validate_json(bytes(content))
    except ValidationError as error:
        raise Refusal(f"the body cannot be read: {describe(error)}") from None


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else dict(value)


def _described(one: Operation, body: Mapping[str, Any] | None, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    names = [part[1:-1] for part in one.path.split("/") if part.startswith("{")]
    described: dict[str, Any] = {
        "summary": one.summary,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names),
            *({"name": name, "in": "query", "description": text, "schema": _TEXT} for name, text in one.query.items()),
        ],
        "responses": {
            "200": {
                "description": "as the command line's --json",
                "content": {"application/json": {"schema": answer}},
            },
            "400": _error("it cannot be done as asked"),
            "401": _error("a wrong token"),
            "403": _error("a token that may not ask this"),
            "429": _error("too many wrong tokens at once, or a person asks too often"),
            "503": _error("a server is away, or others are being answered"),
            **{str(status): _error(text) for status, text in one.also.items()},
        },
    }
    if body:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return described


def _error(text: str) -> Mapping[str, Any]:
    schema = {"$ref": _SCHEMAS.format(model="Error")}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def query(names: Sequence[str], meanings: Mapping[str, str]) -> dict[str, str]:
    """These names with their meaning."""
    return {name: meanings[name] for name in names}
