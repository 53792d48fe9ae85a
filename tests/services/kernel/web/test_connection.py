"""HTTP/1.1 as strangers speak it: what each shape of request is answered, and what becomes of its connection."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise

import hypothesis
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.web.addresses import sender
from services.kernel.web.faults import Fault
from tests.services.kernel.line import BODY_SECONDS, HEAD_SECONDS, OTHERS_TURN_SECONDS, App, Lines, WholeApp, settled

_POST = b"POST / HTTP/1.1\r\nhost: x\r\n"
_GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
_CHUNKED = _POST + b"transfer-encoding: chunked\r\n\r\n"
_EARLY = b"POST /early HTTP/1.1\r\nhost: x\r\n"
_H2C = _POST + b"connection: upgrade\r\nupgrade: h2c\r\n"
_CODED = b"transfer-encoding: chunked\r\n"
_NONE = b"0\r\n\r\n"
_KEPT, _ENDED = "kept", "ended"

# What it is, the bytes as they come, the statuses, and whether another request can follow.
_SHAPES: list[tuple[str, Sequence[bytes], list[int], str]] = [
    # whole requests
    ("a get", [_GET], [204], _KEPT),
    ("a body", [_POST + b"content-length: 3\r\n\r\nabc"], [204], _KEPT),
    ("a body of nothing", [_POST + b"content-length: 0\r\n\r\n"], [204], _KEPT),
    ("byte by byte", [bytes([byte]) for byte in _POST + b"content-length: 3\r\n\r\nabc"], [204], _KEPT),
    ("a chunked body", [_CHUNKED + b"3\r\nabc\r\n0\r\n\r\n"], [204], _KEPT),
    ("chunks byte by byte", [bytes([byte]) for byte in _CHUNKED + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"], [204], _KEPT),
    ("an upper case coding", [_POST + b"Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"], [204], _KEPT),
    ("a chunk extension", [_CHUNKED + b'3;a="b"\r\nabc\r\n0;c\r\n\r\n'], [204], _KEPT),
    ("trailers", [_CHUNKED + b"0\r\nx-forwarded-for: 1.2.3.4\r\n\r\n"], [204], _KEPT),
    ("blanks around values", [b"POST / HTTP/1.1\r\nhost: \t x \t\r\ncontent-length:  3 \r\n\r\nabc"], [204], _KEPT),
    ("head without a body", [b"HEAD /text HTTP/1.1\r\nhost: x\r\n\r\n"], [200], _KEPT),
    ("HTTP/1.0", [b"GET / HTTP/1.0\r\n\r\n"], [204], _ENDED),
    ("HTTP/1.0 that would stay", [b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"], [204], _ENDED),
    ("the last one", [_GET[:-2] + b"connection: close\r\n\r\n"], [204], _ENDED),
    ("one after the last", [_GET[:-2] + b"connection: close\r\n\r\n" + _GET], [204], _ENDED),
    ("an empty host", [b"GET / HTTP/1.1\r\nhost:\r\n\r\n"], [204], _KEPT),
    ("a port", [b"GET / HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n"], [204], _KEPT),
    # targets
    ("absolute", [b"GET http://x/text?a HTTP/1.1\r\nhost: x\r\n\r\n"], [200], _KEPT),
    ("absolute without a path", [b"GET http://x HTTP/1.1\r\nhost: x\r\n\r\n"], [204], _KEPT),
    ("another scheme", [b"GET ftp://x/ HTTP/1.1\r\nhost: x\r\n\r\n"], [400], _ENDED),
    ("the server itself", [b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n"], [204], _KEPT),
    ("a star to get", [b"GET * HTTP/1.1\r\nhost: x\r\n\r\n"], [400], _ENDED),
    ("a tunnel", [b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n"], [501], _ENDED),
    ("no path", [b"GET x HTTP/1.1\r\nhost: x\r\n\r\n"], [400], _ENDED),
    ("bytes in the path", [b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n"], [400], _ENDED),
    ("a blank in the path", [b"GET /a b HTTP/1.1\r\nhost: x\r\n\r\n"], [400], _ENDED),
    ("a path without end", [b"GET /" + b"a" * 70_000], [431], _ENDED),
    # upgrades
    ("h2c", [_POST + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAA\r\n"
     b"content-length: 3\r\n\r\nabc"], [204], _KEPT),
    ("h2c in two parts", [_H2C + b"content-length: 3\r\n\r\na", b"bc"], [204], _KEPT),
    ("h2c chunked", [_H2C + _CODED + b"\r\n3\r\nabc\r\n" + _NONE],
     [204], _KEPT),
    ("h2c without a body", [_GET[:-2] + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n" + _GET], [204, 204], _KEPT),
    ("h2c and no more", [_GET[:-2] + b"connection: upgrade, close\r\nupgrade: h2c\r\n\r\n" + _GET], [204], _ENDED),
    ("a websocket", [_GET[:-2] + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"], [204], _KEPT),
    ("HTTP/2 at once", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], [400], _ENDED),
    # expectations
    ("100", [_POST + b"expect: 100-continue\r\ncontent-length: 3\r\n\r\n", b"abc"], [100, 204], _KEPT),
    ("100 with the body", [_POST + b"Expect: 100-Continue\r\ncontent-length: 3\r\n\r\nabc"], [204], _KEPT),
    ("100 refused", [_EARLY + b"expect: 100-continue\r\ncontent-length: 3\r\n\r\n"], [204], _ENDED),
    ("another expectation", [_POST + b"expect: tea\r\ncontent-length: 3\r\n\r\nabc"], [417], _ENDED),
    ("HTTP/1.0 expects nothing", [b"POST / HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n", b"a"],
     [204], _ENDED),
    # where a body ends
    ("two lengths", [_POST + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabc"], [400], _ENDED),
    ("a length twice", [_POST + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc"], [400], _ENDED),
    ("a list of lengths", [_POST + b"content-length: 3, 3\r\n\r\nabc"], [400], _ENDED),
    ("a signed length", [_POST + b"content-length: +3\r\n\r\nabc"], [400], _ENDED),
    ("a negative length", [_POST + b"content-length: -3\r\n\r\nabc"], [400], _ENDED),
    ("a length past all", [_POST + b"content-length: 99999999999999999999\r\n\r\n"], [400], _ENDED),
    ("no length", [_POST + b"content-length:\r\n\r\n"], [400], _ENDED),
    ("length and chunks", [_POST + b"content-length: 3\r\n" + _CODED + b"\r\n" + _NONE], [400], _ENDED),
    ("chunks and length", [_POST + _CODED + b"content-length: 3\r\n\r\n" + _NONE], [400], _ENDED),
    ("chunked twice", [_POST + _CODED + _CODED + b"\r\n" + _NONE], [400], _ENDED),
    ("an unknown coding below", [_POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"], [501], _ENDED),
    ("an unknown coding alone", [_POST + b"transfer-encoding: gzip\r\n\r\nabc"], [400], _ENDED),
    ("identity", [_POST + b"transfer-encoding: identity\r\ncontent-length: 3\r\n\r\nabc"], [400], _ENDED),
    ("chunks of HTTP/1.0", [b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"], [400], _ENDED),
    ("a chunk size of no number", [_CHUNKED + b"x\r\n"], [400], _ENDED),
    ("a signed chunk size", [_CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n"], [400], _ENDED),
    ("a chunk size past all", [_CHUNKED + b"fffffffffffffffff\r\n"], [400], _ENDED),
    ("a chunk longer than said", [_CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n"], [400], _ENDED),
    ("a bare LF after a chunk size", [_CHUNKED + b"3\nabc\r\n0\r\n\r\n"], [400], _ENDED),
    ("an extension without end", [_CHUNKED + b"3;a=", b"a" * 70_000], [400], _ENDED),
    ("a trailer without end", [_CHUNKED + b"0\r\na: ", b"a" * 70_000], [400], _ENDED),
    ("trailers without end", [_CHUNKED + b"0\r\n", b"a: b\r\n" * 102], [400], _ENDED),
    ("a chunk size of zeros without end", [_CHUNKED, b"0" * 70_000], [400], _ENDED),
    ("a coded body", [_POST + b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc"], [415], _ENDED),
    ("a body coded as it is", [_POST + b"content-encoding: Identity\r\ncontent-length: 3\r\n\r\nabc"], [204], _KEPT),
    # heads
    ("no host", [b"GET / HTTP/1.1\r\n\r\n"], [400], _ENDED),
    ("two hosts", [_GET[:-2] + b"host: y\r\n\r\n"], [400], _ENDED),
    ("no host's name", [b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n"], [400], _ENDED),
    ("a folded line", [_GET[:-2] + b"a: b\r\n c\r\n\r\n"], [400], _ENDED),
    ("a blank before the first name", [b"GET / HTTP/1.1\r\n host: x\r\n\r\n"], [400], _ENDED),
    ("a blank after a name", [_GET[:-2] + b"a : b\r\n\r\n"], [400], _ENDED),
    ("a line without a colon", [_GET[:-2] + b"a\r\n\r\n"], [400], _ENDED),
    ("no name", [_GET[:-2] + b": b\r\n\r\n"], [400], _ENDED),
    ("bare LFs", [_GET.replace(b"\r\n", b"\n")], [400], _ENDED),
    ("a bare CR", [_GET[:-2] + b"a: b\rc: d\r\n\r\n"], [400], _ENDED),
    ("a NUL", [_GET[:-2] + b"a: \x00\r\n\r\n"], [400], _ENDED),
    ("too many lines", [_GET[:-2] + b"a: b\r\n" * 101 + b"\r\n"], [431], _ENDED),
    ("a line too long", [_GET[:-2] + b"a: " + b"b" * 70_000 + b"\r\n\r\n"], [431], _ENDED),
    ("a line without end", [_GET[:-2] + b"a: ", *[b"b" * 10_000] * 7], [431], _ENDED),
    ("HTTP/2 in words", [b"GET / HTTP/2.0\r\nhost: x\r\n\r\n"], [505], _ENDED),
    ("HTTP/0.9", [b"GET /\r\n\r\n"], [505], _ENDED),
    ("no such version", [b"GET / HTTP/1.2\r\nhost: x\r\n\r\n"], [400], _ENDED),
    ("no such method", [b"FETCH / HTTP/1.1\r\nhost: x\r\n\r\n"], [400], _ENDED),
    ("TLS", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], [400], _ENDED),
    # one after the other
    ("empty lines before", [b"\r\n\r\n" + _GET], [204], _KEPT),
    ("two at once", [_GET + _GET], [204, 204], _KEPT),
    ("the second in two parts", [_GET + _GET[:9], _GET[9:]], [204, 204], _KEPT),
    ("sixteen at once and more", [_GET * 40], [204] * 16, _ENDED),
    ("nonsense after a request", [_GET + b"nonsense\r\n\r\n"], [204], _ENDED),
    ("nonsense after two", [_GET + _POST + b"content-length: 1, 2\r\n\r\n" + _GET], [204], _ENDED),
    ("a bad chunk after a request", [_GET + _CHUNKED + b"x\r\n"], [204], _ENDED),
    ("a broken answer", [b"GET /broken HTTP/1.1\r\nhost: x\r\n\r\n" + _GET], [500], _ENDED),
    # answered before the body is whole
    ("early, and the rest comes", [_EARLY + b"content-length: 3\r\n\r\n", b"abc", _GET], [204, 204], _KEPT),
    ("early, and much is left", [_EARLY + b"content-length: 99999\r\n\r\n", b"abc"], [204], _ENDED),
    ("early, and chunks are left", [_EARLY + _CODED + b"\r\n", b"3\r\nabc\r\n0\r\n\r\n"], [204], _ENDED),
    ("early, and then nonsense", [_EARLY + b"content-length: 3\r\n\r\n", b"abc" + b"\x00"],
     [204, 400], _ENDED),
]  # fmt: skip


@pytest.mark.parametrize("app", [App, WholeApp])
@pytest.mark.parametrize(("parts", "statuses", "fate"), [row[1:] for row in _SHAPES], ids=[row[0] for row in _SHAPES])
async def test_each_shape_is_answered_and_its_connection_has_an_end(
    parts: Sequence[bytes], statuses: list[int], fate: str, app: type[App]
) -> None:
    lines = Lines(app=app())
    line = lines.line()

    assert await line.say(*parts) == statuses
    assert line.fate == fate
    await lines.loop.forward(200)

    assert not line.open
    assert lines.crowd._count == 0
    assert not lines.server.connections


_LINES = [
    "content-length: 3",
    "expect: 100-continue",
    "connection: close",
    "upgrade: h2c\r\nconnection: upgrade",
    "a: b",
    "",
]
_WORDS = [b"\n", b" ", b"\x00", b":", b",", b"0", b"f", b";", b"chunked", *(f"{line}\r\n".encode() for line in _LINES)]


@st.composite
def _conversations(draw: st.DrawFn) -> list[bytes]:
    """Some of the shapes one after the other, with a few bytes changed, and pauses anywhere."""
    sent = b"".join(b"".join(draw(st.sampled_from(_SHAPES))[1])[:4_096] for _ in range(draw(st.integers(1, 3))))
    for _ in range(draw(st.integers(0, 3))):
        at, width = draw(st.integers(0, len(sent))), draw(st.integers(0, 3))
        sent = sent[:at] + draw(st.sampled_from(_WORDS)) + sent[at + width :]
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    return [sent[since:until] for since, until in pairwise([0, *cuts, len(sent)])]


@given(_conversations(), st.booleans(), st.sampled_from([App, WholeApp]))
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.too_slow])
async def test_whatever_is_said_the_connection_ends_and_leaves_nothing(
    parts: list[bytes], hangs_up: bool, app: type[App]
) -> None:
    asked = app()
    lines = Lines(proxy_hops=1, app=asked)
    line = lines.line()

    statuses = await line.say(*parts)
    if hangs_up and line.open:
        await line.hang_up()
    await lines.loop.forward(200)

    assert set(statuses) <= {100, 200, 204, 400, 415, 417, 431, 500, 501, 505}
    assert (500 in statuses) <= any(scope["path"] == "/broken" for scope in asked.scopes)
    assert not line.open
    assert [lines.crowd._count, *lines.server.connections, *lines.server.tasks, *lines.crowd._requests] == [0]


@pytest.mark.parametrize("upgrade", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n"])
@pytest.mark.parametrize(
    "body", [b"content-length: 3\r\n\r\nabc", b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
)
async def test_a_body_reaches_the_door_wherever_its_bytes_are_parted(upgrade: bytes, body: bytes) -> None:
    raw = _POST + upgrade + body
    for cut in range(1, len(raw)):
        for app in (App(), WholeApp()):
            assert await Lines(app=app).line().say(raw[:cut], raw[cut:]) == [204]
            assert app.asked == [("POST", "/", b"abc")]


async def test_a_short_body_in_parts_is_gathered_for_a_door_that_takes_it_as_a_whole() -> None:
    app = WholeApp()
    line = Lines(app=app).line()

    assert await line.say(_POST + b"content-length: 3\r\n\r\n", b"a", b"bc") == [204]
    assert (app.taken, app.scopes) == (1, [])


@pytest.mark.parametrize("sent", [b"content-length: 70000\r\n\r\n" + b"a" * 70_000, _CODED + b"\r\n" + _NONE])
async def test_a_long_body_and_one_of_no_known_length_are_the_applications(sent: bytes) -> None:
    app = WholeApp()

    assert await Lines(app=app).line().say(_POST + sent) == [204]
    assert (app.taken, len(app.scopes)) == (0, 1)


@pytest.mark.parametrize("late", [WholeApp.answer, lambda _, held: held.start_over()])
async def test_what_is_answered_after_its_sender_has_gone_reaches_nobody(late: Callable[..., None]) -> None:
    app = WholeApp()
    lines = Lines(app=app)
    line = lines.line()
    await line.say(_GET.replace(b"/", b"/held", 1))
    line.socket.abort()
    await line.say()

    late(app, app.held[0])

    assert (line.statuses, app.scopes, [*lines.server.tasks]) == ([], [], [])


async def test_a_whole_request_of_who_reads_no_answers_is_the_applications() -> None:
    app = WholeApp()
    line = Lines(app=app).line()
    line.connection.pause_writing()

    assert await line.say(_GET) == []
    assert (app.taken, len(app.scopes)) == (0, 1)


@pytest.mark.parametrize("fault", Fault)
def test_every_page_may_read_what_the_connection_itself_answers(fault: Fault) -> None:
    """Whose page it is may not be known where the head is broken: a script saw a network error instead of a 503."""
    head, _, body = fault.answer.partition(b"\r\n\r\n")
    said = dict(line.split(b": ") for line in head.split(b"\r\n")[1:])
    assert said[b"access-control-allow-origin"] == b"*"
    assert said[b"access-control-expose-headers"] == b"retry-after"
    assert int(said[b"content-length"]) == len(body)


async def test_addresses_are_told_as_asgi_wants_them() -> None:
    lines = Lines()
    await lines.line("2001:db8::1").say(_GET)

    assert lines.app.scopes[0]["client"] == ("2001:db8::1", 40_000)
    assert lines.app.scopes[0]["server"] == ("::1", 80)


async def test_a_trailer_is_no_header() -> None:
    lines = Lines()
    await lines.line().say(_CHUNKED + b"0\r\nx-forwarded-for: 1.2.3.4\r\n\r\n")

    assert [name for name, _ in lines.app.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]


async def test_white_space_around_a_value_is_none_of_it() -> None:
    lines = Lines()
    await lines.line().say(b"GET /?a=b HTTP/1.1\r\nHost:\t x \t\r\nA:  b c \r\n\r\n")

    assert lines.app.scopes[0]["headers"] == [(b"host", b"x"), (b"a", b"b c")]
    assert lines.app.scopes[0]["query_string"] == b"a=b"


@pytest.mark.parametrize(
    "flood", [b"a: b\r\n" * 10_000, b"a: " + b"b" * 64_000, b"0;" + b"a" * 64_000, b"\r\n" * 32_000], ids=lambda _: ""
)
async def test_sixty_megabytes_that_are_no_body_leave_the_memory_flat(flood: bytes) -> None:
    line = Lines().line()
    await line.say(_CHUNKED + b"0\r\n")
    before = psutil.Process().memory_info().rss

    for _ in range(60_000_000 // len(flood)):
        line.flood(flood)

    assert psutil.Process().memory_info().rss - before < 8_000_000
    assert (await line.say()) in ([400], [204])
    assert line.fate == _ENDED


async def test_whoever_sends_more_than_a_turn_waits_until_others_had_theirs() -> None:
    lines = Lines()
    line = lines.line()
    line.flood(_POST + b"content-length: 1000000\r\n\r\n")
    line.flood(b"a" * (line.turn - 1))
    assert line.socket.reading

    line.flood(b"a" * line.turn)
    assert not line.socket.reading
    await lines.loop.forward(OTHERS_TURN_SECONDS)
    assert line.socket.reading


async def test_whose_turn_begins_is_not_read_before_its_application_wants_more() -> None:
    lines = Lines()
    line = lines.line()
    line.flood(b"POST /held HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
    for _ in range(3):  # with the third too much waits unread
        assert line.socket.reading
        line.flood(b"a" * line.turn)
        await lines.loop.forward(OTHERS_TURN_SECONDS)
    assert not line.socket.reading

    lines.app.go_on.set()
    await settled()
    assert line.socket.reading


_DEADLINES = [
    ("head", b"", HEAD_SECONDS, []),
    ("head", _GET[:-2] + b"a: b", HEAD_SECONDS, []),
    ("body", _POST + b"content-length: 3\r\n\r\na", BODY_SECONDS, [408]),
    ("body", _CHUNKED + b"1\r\na\r\n0\r\na: b\r\n", BODY_SECONDS, [408]),
    ("answering", b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n", 60, [503]),
    ("rest", b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\na", 5, [204]),
    ("idle", _GET, 75, [204]),
    ("idle", _GET + b"\r\n", 75, [204]),
]


@pytest.mark.parametrize("app", [App, WholeApp])
@pytest.mark.parametrize(("room", "sent", "seconds", "statuses"), _DEADLINES, ids=[row[0] for row in _DEADLINES])
async def test_every_state_has_a_deadline_that_more_bytes_of_it_do_not_move(
    room: str, sent: bytes, seconds: float, statuses: list[int], app: type[App]
) -> None:
    lines = Lines(app=app())
    line = lines.line()
    await line.say(sent)
    assert line.connection.room.name == room
    await lines.loop.forward(seconds - 1)
    assert line.open
    assert not line.socket.ended
    if room in ("idle", "answering"):
        await line.say(b"\r\n")
    elif room == "head" and sent:
        await line.say(b"x")

    await lines.loop.forward(1)

    assert line.statuses == statuses
    assert line.fate == _ENDED
    assert lines.counted("http_cut", why=f"late_{room}") == (room != "idle")
    assert not lines.server.tasks


async def test_what_is_asked_before_the_last_answer_is_read_only_when_its_turn_comes() -> None:
    lines = Lines()
    line = lines.line()
    await line.say(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n", _GET)
    assert not line.socket.reading
    lines.app.go_on.set()

    assert await line.say() == [204, 204]
    assert line.socket.reading


async def test_what_comes_after_the_last_request_is_no_fault() -> None:
    lines = Lines()
    await lines.line().say(_GET[:-2] + b"connection: close\r\n\r\n" + _GET)

    assert lines.counted("http_faults", reason="malformed") == 0


async def test_a_sender_who_does_not_read_what_was_written_is_cut_off() -> None:
    lines = Lines()
    line = lines.line()
    line.socket.stuck = True
    await line.say(_GET[:-2] + b"connection: close\r\n\r\n")
    await lines.loop.forward(6)

    assert not lines.server.connections


async def test_a_sender_who_reads_nothing_is_not_written_more() -> None:
    lines = Lines()
    line = lines.line()
    line.connection.pause_writing()
    assert await line.say(_GET) == []
    await lines.loop.forward(61)

    assert not lines.server.connections
    assert not lines.server.tasks


async def test_at_the_limit_a_new_connection_takes_the_place_of_the_longest_idle() -> None:
    lines = Lines(connections=3)
    held, idle, fresh = (lines.line(f"192.0.2.{number}") for number in range(3))
    await held.say(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
    await idle.say(_GET)

    new = lines.line("192.0.2.9")

    assert [one.open for one in (held, idle, fresh, new)] == [True, False, True, True]
    assert await new.say(_GET) == [204]
    assert lines.counted("http_cut", why="crowd_idle") == 1


async def test_who_speaks_keeps_his_place_while_silent_ones_come_without_end() -> None:
    lines = Lines(connections=100)
    speaks = lines.line("198.51.100.1")

    for _ in range(50):
        for number in range(90):
            lines.line(f"192.0.2.{number}")
        await lines.loop.forward(0.01)
        await speaks.say(_GET)

    assert speaks.open
    assert speaks.statuses == [204] * 50
    assert lines.counted("http_cut", why="crowd_idle") == 0


async def test_where_all_wait_for_their_answers_the_newest_is_refused() -> None:
    lines = Lines(connections=2)
    busy = [lines.line() for _ in range(2)]
    for one in busy:
        await one.say(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")

    assert not lines.line().open
    lines.app.go_on.set()
    assert [await one.say() for one in busy] == [[204], [204]]


async def test_two_thousand_silent_connections_leave_room_for_others() -> None:
    lines = Lines(connections=200, per_address=50)
    for number in range(2_000):
        lines.line(f"192.0.2.{number % 256}")

    assert await lines.line("198.51.100.1").say(_GET) == [204]
    assert lines.crowd._count == 200


async def test_an_address_at_its_limit_costs_itself_a_connection_and_no_other() -> None:
    lines = Lines(per_address=2)
    other = lines.line("2001:db8:1::1")
    mine = [lines.line(f"2001:db8::{number}") for number in range(3)]

    assert [one.open for one in (other, *mine)] == [True, False, True, True]


async def test_behind_proxies_what_one_address_asks_at_once_is_bounded_and_not_the_proxys_connections() -> None:
    lines = Lines(per_address=2, proxy_hops=1)
    held = b"GET /held HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.%d:%d\r\n\r\n"
    asking = [lines.line("198.51.100.1") for _ in range(4)]
    for port, one in enumerate(asking[:3], 1):
        await one.say(held % (1, port))
    await asking[3].say(held % (2, 1))
    lines.app.go_on.set()

    assert [await one.say() for one in asking] == [[204], [204], [503], [204]]
    assert not lines.crowd._requests


async def test_idle_ones_are_kept_five_seconds_where_it_is_crowded() -> None:
    lines = Lines(connections=4)
    kept = lines.line()
    await kept.say(_GET)
    await lines.loop.forward(60)
    assert kept.open

    others = [lines.line() for _ in range(2)]
    await asyncio.gather(*(one.say(_GET) for one in others))
    await lines.loop.forward(1)
    assert [kept.open, *(one.open for one in others)] == [False, True, True]


async def test_who_says_no_more_still_hears_his_answer() -> None:
    lines = Lines()
    line = lines.line()
    await line.say(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
    await line.hang_up()
    lines.app.go_on.set()

    assert await line.say() == [204]
    assert not line.open


async def test_a_stop_lets_what_has_begun_be_answered() -> None:
    lines = Lines()
    idle, begun, asked = (lines.line() for _ in range(3))
    await idle.say(_GET)
    await begun.say(_GET[:9])
    await asked.say(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")

    for one in (idle, begun, asked):
        one.connection.shutdown()
    lines.app.go_on.set()

    assert [await idle.say(), await begun.say(_GET[9:]), await asked.say()] == [[204]] * 3
    assert not any(one.open for one in (idle, begun, asked))


async def test_a_sender_who_is_gone_is_told_to_the_door() -> None:
    lines = Lines()
    line = lines.line()
    await line.say(_POST + b"content-length: 3\r\n\r\na")
    await line.hang_up()

    assert not lines.server.tasks
    assert lines.app.asked == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::"), ("", ""),
     ("fe80::1%eth0", "fe80::"), ("a unix socket", "a unix socket")],
)  # fmt: skip
def test_one_sender_is_an_ipv4_address_or_an_ipv6_network(address: str, expected: str) -> None:
    assert sender(address) == expected
