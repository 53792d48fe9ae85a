"""All that the environment may say, read once into a frozen value; nothing else reads the environment."""

import os
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from db.address import read

_SECRET_FILE_BYTES = 64 * 1024
_PORT, _LAST_PORT = re.compile("[0-9]{1,5}"), 65_535


class SecretFiles(PydanticBaseSettingsSource):
    """A secret from the file that VARIABLE_FILE names: it is in no listing of a container's environment."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Raises SettingsError, naming the variable and nothing of the file."""
        variable = f"{Settings.variable(field_name)}_FILE"
        # The installation key has a setting for its file, in which there may be several.
        if field_name == "installation_key" or not is_secret(field) or not (path := os.environ.get(variable)):
            return None, field_name, False
        try:
            with Path(path).open(encoding="utf-8") as file:
                return file.read(_SECRET_FILE_BYTES).strip(), field_name, False
        except (OSError, UnicodeError) as error:
            raise SettingsError(
                f"{variable}: the file that it names cannot be read ({type(error).__name__})"
            ) from error

    def __call__(self) -> dict[str, Any]:
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {name: value for value, name, _ in found if value is not None}


def is_secret(field: FieldInfo) -> bool:
    """Whether its value is hidden wherever settings are shown."""
    # The annotation may be SecretStr or SecretStr | None.
    return "SecretStr" in str(field.annotation)


class Settings(BaseSettings):
    """`wootstream settings` prints each with its meaning, default and where the value came from.

    A secret may also lie in a file, which VARIABLE_FILE names; the variable itself comes first.
    """

    model_config = SettingsConfigDict(
        env_prefix="WOOTSTREAM_",
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,  # no wait, pace or size is endless
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("database_url", "DATABASE_URL"),
        description="PostgreSQL, or a pooler before it (PgBouncer in transaction mode); absent: the local stack's",
    )
    database_direct_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("database_direct_url", "DATABASE_DIRECT_URL"),
        description="PostgreSQL itself, where DATABASE_URL leads through a pooler; `migrate` and the doors need it",
    )
    kafka_bootstrap_servers: str | None = Field(
        None,
        validation_alias=AliasChoices("kafka_bootstrap_servers", "KAFKA_BOOTSTRAP_SERVERS"),
        description="Kafka, host:port separated by commas; absent: the local stack's",
    )
    kafka_security: Literal["plaintext", "tls", "sasl_tls", "sasl_plaintext"] = Field(
        "plaintext", description="how to talk to Kafka; with tls, certificates and host names are checked"
    )
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="how the password is proved, for sasl_tls and sasl_plaintext"
    )
    kafka_username: str | None = Field(None, description="SASL user name, for sasl_tls and sasl_plaintext")
    kafka_password: SecretStr | None = Field(None, description="SASL password, for sasl_tls and sasl_plaintext")
    kafka_ca_file: Path | None = Field(
        None, description="PEM of the authority that signed the brokers' certificates; absent: the system's"
    )
    kafka_certificate_file: Path | None = Field(
        None, description="PEM of our own certificate and its chain, where brokers ask for one"
    )
    kafka_key_file: Path | None = Field(
        None, description="PEM of our certificate's key; absent: it is in the certificate's file"
    )
    kafka_key_password: SecretStr | None = Field(None, description="opens our certificate's key")
    kafka_replication: int = Field(
        1, ge=1, description="replicas of each topic; 3 in production, min.insync is one less"
    )
    kafka_topic_bytes: int | None = Field(
        None,
        ge=256 * 1024**2,
        description="bytes of one topic on each broker, erasures' apart: beyond them the oldest goes; absent: any",
    )
    group_instance: str | None = Field(None, description="static membership: unique and stable, the pod's name")
    session_timeout_seconds: float = Field(10.0, gt=1, description="a consumer silent for so long loses its partitions")
    metadata_max_age_seconds: float = Field(
        30.0, gt=0, description="how soon consumers notice added partitions and moved leaders"
    )
    sentry_dsn: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("sentry_dsn", "SENTRY_DSN"),
        description="Sentry, told every error that is logged; needs the extra `sentry`",
    )
    environment: str = Field("production", description="which installation this is, for Sentry and traces")
    follow_records: bool = Field(
        False, description="whether each record's way is logged, a line at each step, by its id: for some minutes"
    )
    otel_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^/?#\s]+$",
        description="OpenTelemetry's collector (OTLP over HTTP), http://host:4318; needs the extra `otel`",
    )
    otel_share: float = Field(0.01, ge=0, le=1, description="share of requests and calls that is traced")
    http_host: str = Field("127.0.0.1", description="address that the HTTP server binds")
    http_port: int = Field(8080, ge=0, le=65535, description="port of the HTTP server; 0 takes a free one")
    api_token: SecretStr | None = Field(
        None, min_length=16, description="who bears it may ask for reports over HTTP; absent: nobody may"
    )
    public_url: str = Field("http://127.0.0.1:8080", description="how Chatwoot and the storefronts reach the ingress")
    installation_key: SecretStr | None = Field(
        None,
        description="base64 of 32 bytes, seals secrets and spools; after a comma others that only open",
    )
    installation_key_file: Path | None = Field(None, description="file that holds the installation keys, one a line")
    stack: Literal["embedded", "docker"] = Field(
        "embedded",
        validation_alias=AliasChoices("stack", "STACK"),
        description="the local Kafka and PostgreSQL: from packages, or in Docker",
    )
    stack_tls: bool = Field(
        False,
        validation_alias=AliasChoices("stack_tls", "STACK_TLS"),
        description="another local stack, which speaks TLS alone: Kafka with SCRAM, PostgreSQL with a certificate",
    )
    data_directory: Path = Field(Path(".local"), description="local stack, spool and last good copies")
    spool_bytes: int = Field(
        2 * 1024**3,
        ge=4 * 1024**2,
        description="how large one ingress's spool may grow while Kafka is away; of several stores one fills half",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log that is written"
    )
    log_format: Literal["json", "console"] = Field("json", description="console is for people at a terminal")
    webhook_skew_seconds: int = Field(
        300, gt=0, description="how far a signed timestamp may be from our clock, Chatwoot's as a shop's"
    )
    chatwoot_calls_per_second: float = Field(40.0, gt=0, description="pace towards one Chatwoot, of its 3,000 a minute")
    chatwoot_private_addresses: bool = Field(
        False,
        description="whether a Chatwoot may be called in a private network or on this machine, by verbs and services",
    )
    batch_records: int = Field(500, gt=0, description="records in one transaction of a consumer")
    batch_bytes: int = Field(8 * 1024 * 1024, gt=0, description="bytes of record values in one transaction")
    http_connections: int = Field(
        2_000,
        gt=0,
        description="open HTTP connections; a new one beyond them takes the place of the longest silent one",
    )
    http_connections_per_address: int = Field(
        500, gt=0, description="of one address (IPv6: /64); behind proxies requests at once of one forwarded address"
    )
    head_seconds: float = Field(10.0, gt=0, description="how long a connection may take to say what it wants")
    body_seconds: float = Field(5.0, gt=0, description="how long a request's body may take; Chatwoot itself waits 5 s")
    answer_seconds: float = Field(
        4.0, ge=1, description="how long a request may wait for Kafka and disk; Chatwoot itself waits 5 s"
    )
    proxy_hops: int = Field(0, ge=0, description="reverse proxies of ours before the doors")
    beacons_per_minute: int = Field(600, gt=0, description="widget events a minute of one session at one ingress")
    beacons_per_minute_network: int = Field(
        6_000, gt=0, description="widget events a minute of one store from one /24 or /48 network"
    )
    beacons_per_minute_store: int = Field(
        60_000,
        gt=0,
        description="widget events a minute of one store; networks not seen a minute before get half of it",
    )
    configs_per_minute_network: int = Field(
        1_200, gt=0, description="pages of one store that one /24 or /48 network may open in a minute"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the caller says, the environment, the files that it names."""
        return init_settings, env_settings, SecretFiles(settings_cls)

    @field_validator("database_url", "database_direct_url")
    @classmethod
    def _an_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            read(value.get_secret_value())
        return value

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _ports(cls, value: str | None) -> str | None:
        """What is wrong with a host is told by who knocks there; with a port that is none nobody can."""
        for port in re.findall(r"(?:^|,)\s*(?:\[[^,]*\]|[^,:]*):([^,:]*)(?=,|$)", value or ""):
            if not (_PORT.fullmatch(port.strip()) and int(port) <= _LAST_PORT):
                raise ValueError("names a port that is none: host:port, separated by commas")
        return value

    @property
    def stack_directory(self) -> Path:
        """Where the local stack is."""
        return self.data_directory / ("stack-tls" if self.stack_tls else "stack")

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable that sets this field."""
        alias = cls.model_fields[name].validation_alias
        if isinstance(alias, AliasChoices):
            return next(str(choice) for choice in alias.choices if str(choice).isupper())
        return f"{cls.model_config['env_prefix']}{name}".upper()
