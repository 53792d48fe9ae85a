"""`stores.yaml`: every mistake of every store in one run, each with line, key and reason; no secret is told."""

from pathlib import Path

import jsonschema
import orjson
import pytest
import yaml

from schemas.published import documents
from services.control.stores.declared.references import secret_at
from services.control.stores.declared.stores_file_reader import read
from services.kernel import Refusal

_WRONG = """\
chatwoots:
  main:
    base_url: https://chatwoot.example
    platform_token: env:THERE
defaults:
  timezone: Europe/Amsterdam
  colour: red
stores:
  nord:
    domain: nord.example
    locale: no
  sud:
    account_id: 0
    api_access_token: abc-the-secret-itself
    domain: sud.example
  West:
    domain: west.example
  east:
    chatwoot: other
    domain: east.example
    domain: again.example
  here:
    account_id: 3
    api_access_token: env:NOT_THERE
  there:
    account_id: 3
    api_access_token: env:THERE
"""


def _reads(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("THERE", "a-token")
    path.write_text(text)
    with pytest.raises(Refusal) as refusal:
        read(path)
    return str(refusal.value).replace(str(path), "stores.yaml")


def test_all_mistakes_of_all_stores_are_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = _reads(tmp_path / "stores.yaml", _WRONG, monkeypatch)

    assert told.splitlines() == [
        "stores.yaml has 9 mistakes:",
        "  line 7: defaults.colour: there is no such key",
        "  line 11: stores.nord.locale: Input should be a valid string",
        "  line 13: stores.sud.account_id: Input should be greater than or equal to 1",
        "  line 14: stores.sud.api_access_token: name the secret's place, env:NAME or file:PATH, never the secret",
        "  line 16: stores.West: String should match pattern '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'",
        "  line 19: stores.east.chatwoot: names no chatwoot of main",
        "  line 21: stores.east.domain: stands there twice",
        "  line 24: stores.here.api_access_token: env:NOT_THERE is not set",
        "  line 26: stores.there.account_id: is here's already",
    ]
    assert "abc-the-secret-itself" not in told


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("stores: [", "stores.yaml:1: no YAML"),
        ("", "line 1: stores: Field required"),
        ("- a\n- b\n", "the file: Input should be a valid"),
        ("stores: &a\n  nord: *a\nchatwoots: {}\n", "is nested too deeply"),
        ("stores: " + "[" * 5_000, "stores.yaml:1: no YAML: exceeded maximum nesting depth"),
        ("\n".join(" " * depth + "stores:" for depth in range(1_400)), "no YAML: exceeded maximum nesting depth"),
    ],
    ids=["broken", "empty", "a list", "itself within", "nested in a line", "nested by indentation"],
)
def test_what_is_no_such_file_is_one_sentence(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sentence in _reads(tmp_path / "stores.yaml", text, monkeypatch)


def test_defaults_and_secrets_reach_every_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERE", "a-token")
    path = tmp_path / "stores.yaml"
    text = _WRONG[: _WRONG.index("  colour")] + "stores:\n  nord: {domain: nord.example}\n"
    path.write_text(text + "  sud: {domain: sud.example, timezone: Europe/Paris}\n")

    nord, sud = read(path)

    assert (nord.entry.timezone, sud.entry.timezone) == ("Europe/Amsterdam", "Europe/Paris")
    assert nord.platform_token is not None
    assert nord.platform_token.get_secret_value() == "a-token"
    assert "a-token" not in repr(nord)
    schema = orjson.loads(documents()["stores-file.schema.json"])
    assert jsonschema.Draft202012Validator(schema).is_valid(yaml.safe_load(path.read_text()))
    assert not jsonschema.Draft202012Validator(schema).is_valid(yaml.safe_load(_WRONG))


def test_mark_at_the_beginning_of_a_file_is_no_part_of_the_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xef\xbb\xbfa-token\r\n")

    assert secret_at("file:token", tmp_path).get_secret_value() == "a-token"
