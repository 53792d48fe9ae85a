"""The demo's accounts in the double are set up as the recorded ones were."""

from local.chatwoot.double import Double
from local.chatwoot.views.inboxes import inbox_full
from local.demo import shops
from local.replay import recording

_NAMES_A_HOST = "web_widget_script"


def test_inboxes_bots_and_teams_are_those_of_the_recording() -> None:
    double = Double()
    stores = shops.open_accounts(double)

    for store in stores:
        ours = {one.id: inbox_full(double.state, one) for one in double.state.inboxes_of(store.account)}
        recorded = {call.answer["id"]: call.answer for call in _calls(store, "PATCH", "inboxes/")}
        assert recorded.keys() <= ours.keys()
        assert {id_: ours[id_] | {_NAMES_A_HOST: one[_NAMES_A_HOST]} for id_, one in recorded.items()} == recorded
        assert {one.id for one in double.state.inboxes_of(store.account) if one.bot} == set(store.recorded.bot_inboxes)
        assert [team["name"] for team in store.account.teams.values()] == ["support"]


def _calls(store: shops.DemoStore, method: str, path: str) -> list[recording.RecordedCall]:
    every = recording.calls(shops.RECORDINGS, store.recorded.account_id)
    return [call for call in every if call.method == method and call.path.startswith(path)]
