"""What a connection itself refuses before any application is asked; the status is what RFC 9110, 9112 or 6585 says."""

from enum import Enum

# It says nothing of anybody, so every page may read it: whose it is may not even be known, where the head is broken.
_READABLE = b"access-control-allow-origin: *\r\naccess-control-expose-headers: retry-after\r\n"


class Fault(Enum):
    """The name under which /metrics counts it, the status, and what the sender reads."""

    MALFORMED = ("malformed", 400, "This is no HTTP/1.1 request.")
    TARGET = ("target", 400, "The request's target is no path.")
    HOST = ("host", 400, "One host, please.")
    FRAMING = ("framing", 400, "Where the body ends cannot be told.")
    TOO_MUCH_FRAMING = ("too_much_framing", 400, "Too much between the parts of the body.")
    CONTENT_CODING = ("content_coding", 415, "The body as it is, please, in no coding.")
    EXPECTATION = ("expectation", 417, "Only 100-continue can be expected.")
    HEAD_TOO_LARGE = ("head_too_large", 431, "The head is too large.")
    BROKEN = ("broken", 500, "It broke here. Nothing is wrong with the request.")
    METHOD = ("method", 501, "Nobody here opens tunnels.")
    TRANSFER_CODING = ("transfer_coding", 501, "No transfer coding but chunked, please.")
    BUSY = ("busy", 503, "Too many requests at once from this address.")
    SLOW_ANSWER = ("slow_answer", 503, "The answer took too long.")
    VERSION = ("version", 505, "HTTP/1.1, please.")

    def __init__(self, reason: str, status: int, text: str) -> None:
        self.reason = reason
        self.status = status
        body = text.encode()
        more = {415: b"accept-encoding: identity\r\n", 503: b"retry-after: 1\r\n"}.get(status, b"")
        # A connection that cannot be understood any further ends with its answer.
        self.answer = b"HTTP/1.1 %d \r\ncontent-type: text/plain\r\nx-content-type-options: nosniff\r\n" % status
        self.answer += _READABLE
        self.answer += b"content-length: %d\r\n%sconnection: close\r\n\r\n%s" % (len(body), more, body)
