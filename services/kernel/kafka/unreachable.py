"""Why Kafka does not answer, in a sentence with the cure; aiokafka only says that it is unable to bootstrap."""

import asyncio
import ssl
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

_TIMEOUT_MS = 3_000
_MECHANISM = "WOOTSTREAM_KAFKA_SASL_MECHANISM"


async def why(options: dict[str, Any]) -> str:
    """Knock at each server that is named, as a client with these options would; say what the last one answered."""
    of_each = {name: value for name, value in options.items() if name != "bootstrap_servers"}
    reason = "KAFKA_BOOTSTRAP_SERVERS names none"
    for host, port, _ in collect_hosts(options["bootstrap_servers"], randomize=False):
        try:
            async with asyncio.timeout(_TIMEOUT_MS / 1000):
                connection = await create_conn(host, port, request_timeout_ms=_TIMEOUT_MS, **of_each)
                try:
                    await connection.send(MetadataRequest([]))  # brokers tell their version to anybody
                finally:
                    connection.close()
        except (KafkaError, OSError, TimeoutError, ValueError, AssertionError) as error:
            reason = f"{host}:{port} {_sentence(error, options)}"
        else:
            return (
                f"{host}:{port} answers now; where it happens again, see that its advertised.listeners can be reached"
            )
    return reason


def _sentence(error: Exception, options: dict[str, Any]) -> str:
    match error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error:
        case ssl.SSLCertVerificationError(verify_message=reason):
            return f"shows a certificate that is not accepted ({reason}): see WOOTSTREAM_KAFKA_CA_FILE"
        case ssl.SSLError(reason=reason) if reason in _ASKS_FOR_CERTIFICATE:
            return "wants a client's certificate, or another one: see WOOTSTREAM_KAFKA_CERTIFICATE_FILE"
        case ssl.SSLError(reason=reason):
            return f"speaks no TLS there ({reason}): see WOOTSTREAM_KAFKA_SECURITY and the port"
        case UnsupportedSaslMechanismError():
            return f"takes no {options.get('sasl_mechanism')}: see {_MECHANISM}"
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            return "refuses this user name or password: see WOOTSTREAM_KAFKA_USERNAME, …_PASSWORD and …_SASL_MECHANISM"
        case ConnectionRefusedError():
            return "refuses the connection: see that it runs"
        case TimeoutError():
            return "does not answer in time: see that it runs, and WOOTSTREAM_KAFKA_SECURITY"
        case KafkaError() | ConnectionError():
            return "hangs up on us: see WOOTSTREAM_KAFKA_SECURITY and the port"
        case _:
            return f"cannot be reached ({type(error).__name__})"


_ASKS_FOR_CERTIFICATE = ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_ALERT_UNKNOWN_CA")
