"""Chatwoot's API over the rows that its own database held after a recorded run, as an httpx transport."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from tests.answering import Answering
from tests.recordings.recorded import reports, rows, stores

PAGE = 25
_PATH = re.compile(r"/api/v[12]/accounts/(\d+)/(.+)")
_PRIORITIES = ("low", "medium", "high", "urgent")
_CONTENT_TYPES = {0: "text", 9: "input_csat"}
_SENDERS = {"User": "user", "Contact": "contact", "AgentBot": "agent_bot"}


@dataclass
class RecordedApi:
    """Every account of a run; `fault` answers instead of it, `bots` are the inboxes that have one."""

    run: str
    fault: httpx.Response | None = None
    calls: list[str] = field(default_factory=list)
    bots: set[int] = field(default_factory=set)
    release: str = ""

    def __post_init__(self) -> None:
        self.stores = {store["account"]: store for store in stores(self.run)}
        self.release = str(stores(self.run)[0]["release"])
        self.bots |= {inbox for store in self.stores.values() for inbox in store["bot_inboxes"]}

    @property
    def transport(self) -> Answering:
        return Answering(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api":
            return httpx.Response(200, json={"version": self.release, "queue_services": "ok"})
        found = _PATH.fullmatch(request.url.path)
        if found is None or int(found[1]) not in self.stores:
            return httpx.Response(404, json={"error": "Resource could not be found"})
        self.calls.append(f"{request.url.host}{found[0]}")
        if self.fault:
            return self.fault
        return httpx.Response(200, json=self._told(int(found[1]), found[2], request.url.params))

    def _told(self, account: int, path: str, query: httpx.QueryParams) -> Any:
        if path == "inboxes":
            return {"payload": [{"id": row["id"], "name": row["name"]} for row in rows(self.run, "inboxes", account)]}
        if inbox := re.fullmatch(r"inboxes/(\d+)/agent_bot", path):
            return {"agent_bot": {"id": 1, "name": "helper"} if int(inbox[1]) in self.bots else {}}
        if path == "agents":
            return [{"id": one["id"], "name": f"Agent {one['id']}"} for one in self.stores[account]["agents"]]
        if path == "teams":
            return [{"id": self.stores[account]["team"], "name": "support"}]
        if path == "conversations":
            return self._conversations(account, int(query["page"]))
        if asked := re.fullmatch(r"conversations/(\d+)/messages", path):
            return {"payload": self.messages(account, int(asked[1]), after=int(query["after"]))}
        assert path == "reports/summary", path
        return reports(self.run)["stores"][self.stores[account]["name"]]["reports.summary?type=account"]

    def _conversations(self, account: int, page: int) -> dict[str, Any]:
        everything = sorted(rows(self.run, "conversations", account), key=lambda row: row["created_at"])
        page_rows = everything[(page - 1) * PAGE : page * PAGE]
        payload = [self.conversation(row) for row in page_rows]
        return {"data": {"meta": {"all_count": len(everything)}, "payload": payload}}

    def conversation(self, row: dict[str, Any]) -> dict[str, Any]:
        """Unix seconds, 0 for never; releases before 4.0.2 do not say when the row was written."""
        written = {} if self.run.startswith("chatwoot-3") else {"updated_at": unix(row["updated_at"])}
        assignee = row["assignee_id"] and {"id": row["assignee_id"], "name": f"Agent {row['assignee_id']}"}
        team = row["team_id"] and {"id": row["team_id"], "name": "support"}
        return {
            "id": row["conversation"],
            "inbox_id": row["inbox_id"],
            "status": row["status"],
            "priority": None if row["priority"] is None else _PRIORITIES[row["priority"]],
            "labels": [label for label in (row["cached_label_list"] or "").split(", ") if label],
            "snoozed_until": row["snoozed_until"],
            "meta": {"sender": {"id": row["contact_id"]}, "assignee": assignee or None, "team": team or None},
            **{key: int(unix(row[key])) for key in ("created_at", "last_activity_at", "first_reply_created_at")},
            "waiting_since": int(unix(row["waiting_since"])),
            **written,
        }

    def messages(self, account: int, conversation: int, *, after: int = 0) -> list[dict[str, Any]]:
        """At most a hundred, ascending."""
        found = [row for row in rows(self.run, "messages", account) if row["conversation"] == conversation]
        later = sorted((row for row in found if row["id"] > after), key=lambda row: int(row["id"]))
        return [_message(row) for row in later[:100]]


def _message(row: dict[str, Any]) -> dict[str, Any]:
    sender = row["sender_id"] and {"id": row["sender_id"], "name": "x", "type": _SENDERS[row["sender_type"]]}
    marks = row["content_attributes"]
    return {
        "id": row["id"],
        "content": "a text that nobody keeps",
        "message_type": row["message_type"],
        "content_type": _CONTENT_TYPES[row["content_type"]],
        "content_attributes": orjson.loads(marks) if isinstance(marks, str) else marks or {},
        "private": row["private"],
        "created_at": int(unix(row["created_at"])),
        **({"sender": sender} if sender else {}),
    }


def unix(text: str | None) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() if text else 0.0
