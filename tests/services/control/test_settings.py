"""`settings` says where each value comes from and no secret."""

import pytest

from services.kernel import Settings, Stop
from tests.services.control.verbs import answer, call


async def test_each_setting_has_its_variable_meaning_and_source_and_no_secret_is_told(
    installation: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WOOTSTREAM_INSTALLATION_KEY", "a2V5")
    told = {one["name"]: one for one in await answer("settings")}

    assert told.keys() == Settings.model_fields.keys()
    assert all(one["meaning"] for one in told.values())
    assert told["kafka_bootstrap_servers"]["value"] == installation.kafka_bootstrap_servers
    key, port = told["installation_key"], told["http_port"]
    assert (key["variable"], key["source"], key["value"]) == ("WOOTSTREAM_INSTALLATION_KEY", "environment", "(hidden)")
    assert (port["source"], port["value"], port["default"]) == ("default", "8080", "8080")
    assert "postgresql://" not in (await call("settings")).stdout


@pytest.mark.usefixtures("stack")
async def test_running_local_stack_fills_in_what_the_environment_leaves_out(
    kafka: str, worker_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if Settings().kafka_bootstrap_servers or Settings().database_url or Settings().stack != "embedded":
        pytest.skip("the environment names the servers")
    monkeypatch.setenv("WOOTSTREAM_DATA_DIRECTORY", f".local/session/{worker_id}")
    of_this_worker = {one["name"]: one for one in await answer("settings")}["kafka_bootstrap_servers"]
    monkeypatch.setenv("WOOTSTREAM_DATA_DIRECTORY", ".local/session")
    of_all = {one["name"]: one for one in await answer("settings")}["database_url"]
    assert (of_this_worker["source"], of_this_worker["value"]) == ("local stack", kafka)
    assert (of_all["source"], of_all["value"]) == ("local stack", "(hidden)")


async def test_setting_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WOOTSTREAM_HTTP_PORT", "many")
    with pytest.raises(Stop, match=r"WOOTSTREAM_HTTP_PORT"):
        await call("settings")
