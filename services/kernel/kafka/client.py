"""Every Kafka client of ours, made here: where the cluster is, how we prove who we are, and why it does not answer.

Consumers, producers and admin clients of aiokafka and FastStream's broker take the same options, so no setting can hold
for one of them and not for another.
"""

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from services.kernel.closing import opened
from services.kernel.errors import Stop, Unreachable
from services.kernel.kafka.compression import keep_context
from services.kernel.kafka.foreign_batches import read_anything
from services.kernel.kafka.leaderless import ask_in_turn
from services.kernel.kafka.portions import hand_out_in_portions
from services.kernel.kafka.unreachable import why
from services.kernel.settings import Settings

# FastStream is a fifth of what a start reads, and only who consumes needs it: neither a door nor a verb.
if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker
    from faststream.security import BaseSecurity

_CLIENT_ID = "wootstream"
_PROTOCOLS = {"plaintext": "PLAINTEXT", "tls": "SSL", "sasl_plaintext": "SASL_PLAINTEXT", "sasl_tls": "SASL_SSL"}
_LOGINS = {"PLAIN": "SASLPlaintext", "SCRAM-SHA-256": "SASLScram256", "SCRAM-SHA-512": "SASLScram512"}
_TLS_SETTINGS = ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file", "kafka_key_password")
_SASL_SETTINGS = ("kafka_username", "kafka_password")


def consumer(settings: Settings, **more: Any) -> Any:
    """A consumer that is not started yet."""
    _bound_consumers()
    return AIOKafkaConsumer(**client_options(settings), **more)


def producer(settings: Settings, **more: Any) -> Any:
    """A producer that is not started yet."""
    keep_context()
    made = AIOKafkaProducer(**client_options(settings), **more)
    ask_in_turn(made)
    return made


def admin(settings: Settings, **more: Any) -> Any:
    """An admin client that is not started yet."""
    return AIOKafkaAdminClient(**client_options(settings), **more)


def broker(settings: Settings, **more: Any) -> "KafkaBroker":
    """FastStream's broker, not started yet."""
    from faststream.kafka import KafkaBroker

    _bound_consumers()
    return KafkaBroker(_servers(settings), client_id=_CLIENT_ID, security=_security(settings), **more)


async def started(client: Any, settings: Settings) -> None:
    """Start it, or close it again. Raises Unreachable, and what else the client raises."""
    close: Callable[[], Awaitable[None]] = client.close if isinstance(client, AIOKafkaAdminClient) else client.stop
    try:
        await opened(client.start(), close)
    except KafkaConnectionError as error:
        raise Unreachable(await why(client_options(settings))) from error


def _bound_consumers() -> None:
    """Whatever lies in a topic, no consumer of this process stops at it or dies of it."""
    read_anything()
    hand_out_in_portions()


def client_options(settings: Settings) -> dict[str, Any]:
    """What aiokafka's clients are told. Raises Stop when the settings contradict each other or name no file."""
    _refuse_contradictions(settings)
    options: dict[str, Any] = {
        "bootstrap_servers": _servers(settings),
        "client_id": _CLIENT_ID,
        "security_protocol": _PROTOCOLS[settings.kafka_security],
    }
    if settings.kafka_security in ("tls", "sasl_tls"):
        options["ssl_context"] = _tls(settings)
    if settings.kafka_security in ("sasl_tls", "sasl_plaintext"):
        assert settings.kafka_password is not None
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


def _security(settings: Settings) -> "BaseSecurity":
    """The same in FastStream's words."""
    from faststream import security

    options = client_options(settings)
    tls = options.get("ssl_context")
    if "sasl_mechanism" not in options:
        return security.BaseSecurity(ssl_context=tls)
    login: Callable[..., BaseSecurity] = getattr(security, _LOGINS[options["sasl_mechanism"]])
    return login(options["sasl_plain_username"], options["sasl_plain_password"], ssl_context=tls)


def _servers(settings: Settings) -> list[str]:
    servers = [one.strip() for one in (settings.kafka_bootstrap_servers or "").split(",") if one.strip()]
    if any("/" in one for one in servers):
        raise Stop("KAFKA_BOOTSTRAP_SERVERS takes host:port separated by commas, without a scheme or a path")
    return servers


def _refuse_contradictions(settings: Settings) -> None:
    """A setting that would be passed over in silence is a fault: whoever set it believes that it holds."""
    security = f"{Settings.variable('kafka_security')}={settings.kafka_security}"
    for names, with_ in ((_TLS_SETTINGS, ("tls", "sasl_tls")), (_SASL_SETTINGS, ("sasl_tls", "sasl_plaintext"))):
        given = [Settings.variable(name) for name in names if getattr(settings, name) is not None]
        if given and settings.kafka_security not in with_:
            raise Stop(f"{given[0]} does nothing with {security}: choose {' or '.join(with_)}, or unset it")
    if settings.kafka_security in ("sasl_tls", "sasl_plaintext"):
        absent = [Settings.variable(name) for name in _SASL_SETTINGS if getattr(settings, name) is None]
        if absent:
            raise Stop(f"{security} needs {' and '.join(absent)}")
    if settings.kafka_key_file and not settings.kafka_certificate_file:
        raise Stop(f"{Settings.variable('kafka_key_file')} needs {Settings.variable('kafka_certificate_file')}")


def _tls(settings: Settings) -> ssl.SSLContext:
    """Certificates and host names are always checked."""
    if settings.kafka_ca_file:  # this authority alone, as brokers and Java's clients take it
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load("kafka_ca_file", settings.kafka_ca_file, lambda path: context.load_verify_locations(cafile=path))
    else:
        context = ssl.create_default_context()
    if settings.kafka_certificate_file:
        password = settings.kafka_key_password.get_secret_value() if settings.kafka_key_password else ""
        key = settings.kafka_key_file
        _load("kafka_certificate_file", settings.kafka_certificate_file,
              lambda path: context.load_cert_chain(path, key, lambda: password))  # fmt: skip
    return context


def _load(name: str, path: Path, load: Callable[[Path], object]) -> None:
    try:
        load(path)
    except (OSError, ssl.SSLError) as error:
        what = "holds no usable PEM" if isinstance(error, ssl.SSLError) else f"cannot be read: {error.strerror}"
        key = ", or its key does not belong to it or needs a password" if name == "kafka_certificate_file" else ""
        raise Stop(f"{Settings.variable(name)}={path} {what}{key}") from error
