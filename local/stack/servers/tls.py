"""A stack that speaks TLS alone: its authority and certificates, made once in its directory.

A directory is such a stack's from its first start on: it has a `tls` folder.
"""

import datetime as dt
import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.stack.machine.ports import HOST

_YEARS = dt.timedelta(days=3650)
_BACKDATED = dt.timedelta(hours=1)
USER = "wootstream"


@dataclass(frozen=True, slots=True)
class Tls:
    """Where the PEM files are, and the password of Kafka's user."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def server(self) -> Path:
        """Key and certificate of both servers, for this machine's address."""
        return self.folder / "server.pem"

    @property
    def client(self) -> Path:
        """Key and certificate of a client."""
        return self.folder / "client.pem"

    @property
    def password(self) -> str:
        return (self.folder / "password").read_text()


def of(directory: Path) -> Tls | None:
    """The certificates of this stack; None where it speaks in clear."""
    folder = directory / "tls"
    return Tls(folder) if folder.exists() else None


def make(directory: Path) -> Tls:
    """Let the stack of this directory speak TLS from its next start on. Made aside and renamed: whole or not there."""
    if found := of(directory):
        return found
    aside = directory / "tls.new"
    aside.mkdir(parents=True, exist_ok=True)
    name, key = _name("Wootstream's local stack"), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate(name, name, key.public_key(), x509.BasicConstraints(ca=True, path_length=0)).sign(
        key, hashes.SHA256()
    )
    _write(aside / "ca.pem", authority.public_bytes(serialization.Encoding.PEM))
    for one in ("server", "client"):
        own = ec.generate_private_key(ec.SECP256R1())
        leaf = x509.BasicConstraints(ca=False, path_length=None)
        signed = _certificate(_name(one), name, own.public_key(), leaf).sign(key, hashes.SHA256())
        _write(aside / f"{one}.pem", _pem(own) + signed.public_bytes(serialization.Encoding.PEM))
    _write(aside / "password", secrets.token_urlsafe(18).encode())
    return Tls(aside.rename(directory / "tls"))


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, constraints: x509.BasicConstraints
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    names = [x509.IPAddress(ipaddress.ip_address(HOST))]
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - _BACKDATED).not_valid_after(now + _YEARS)
    builder = builder.add_extension(constraints, critical=True)
    if constraints.ca:
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8  # the only one that Kafka reads
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
