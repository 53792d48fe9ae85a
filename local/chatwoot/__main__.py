"""A Chatwoot double as a program, until Ctrl-C: `python -m local.chatwoot --port 3000 --account 3 --token secret`.

It prints one line of JSON with its address and the Platform API's token. What it does can be changed while it runs:
`GET` and `PATCH /double`. local/chatwoot/README.md tells what it plays.
"""

import argparse
import asyncio
import contextlib
import json
import re

import uvloop

from local.chatwoot import seed
from local.chatwoot.app import serving
from local.chatwoot.double import Double
from local.chatwoot.fault_modes import KINDS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m local.chatwoot", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=_port, default=0, help="where to listen; 0 takes a free port")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; a container's is 0.0.0.0")
    parser.add_argument(
        "--release", type=_release, default="4.13.0", help="the release to play, such as 3.16.0 or 4.16.0"
    )
    parser.add_argument("--seed", type=int, default=1, help="of every chance, so that a run can be repeated")
    exist = parser.add_argument_group("what exists from the start")
    exist.add_argument("--account", type=int, help="an account that exists from the start")
    exist.add_argument("--token", default="token", help="its administrator's api_access_token")
    exist.add_argument("--contacts", metavar="FILE", help="its contacts: a line of JSON each, with id, email, ...")
    exist.add_argument("--webhook", metavar="URL", help="its webhook, subscribed to everything")
    exist.add_argument("--secret", help="the webhook's secret; without one it is not signed")
    limits = parser.add_argument_group("limits, in clock minutes; loopback is exempt, as Chatwoot has it")
    limits.add_argument("--per-minute", type=int, default=3000, help="calls from one address")
    limits.add_argument("--searches", type=int, default=100, help="contact searches of one account")
    limits.add_argument("--limit-loopback", action="store_true", help="loopback is not exempt")
    webhooks = parser.add_argument_group("webhooks, posted once each as Chatwoot does")
    webhooks.add_argument("--duplicates", type=_share, default=0.0, help="share that goes out twice")
    webhooks.add_argument("--reorder", action="store_true", help="in any order")
    webhooks.add_argument("--skew", type=int, default=0, help="seconds by which their timestamps are off")
    faults = parser.add_argument_group("faults, each in its turn")
    faults.add_argument("--fault", action="append", default=[], choices=KINDS, help="may be given several times")
    faults.add_argument("--fault-share", type=_share, default=1.0, help="of calls that are hit")
    faults.add_argument("--fault-seconds", type=float, default=30.0, help="of silence and of slow answers")
    faults.add_argument("--fault-account", action="append", default=[], type=int, help="hit these alone")
    given = parser.parse_args()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(_serve(given))
    except (NotAContact, OSError) as reason:  # a port that is taken, a file that is not there
        parser.error(str(reason))


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return port


def _release(text: str) -> str:
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no release like 4.13.0")
    return text


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1")
    return share


class NotAContact(Exception):
    """A line of the file of contacts."""


async def _serve(given: argparse.Namespace) -> None:
    """Print where it answers, as one line of JSON, and stay."""
    double = Double(given.release, seed=given.seed)
    limits, webhooks, faults = double.limits, double.deliveries, double.faults
    limits.per_address, limits.searches_per_account = given.per_minute, given.searches
    limits.enforce_on_loopback = given.limit_loopback
    webhooks.duplicates, webhooks.reorder, webhooks.clock_skew_seconds = given.duplicates, given.reorder, given.skew
    faults.kinds, faults.share, faults.seconds = tuple(given.fault), given.fault_share, given.fault_seconds
    faults.accounts = tuple(given.fault_account)
    if given.account is not None:
        _open_account(double, given)
    async with serving(double, port=given.port, host=given.host) as base_url:
        print(json.dumps({"base_url": base_url, "platform_token": double.state.platform_token}), flush=True)
        await asyncio.Event().wait()


def _open_account(double: Double, given: argparse.Namespace) -> None:
    account = seed.add_account(double, given.account, token=given.token)
    if given.contacts:
        with open(given.contacts, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    seed.add_contact(double, account, **json.loads(line))
                except (TypeError, ValueError) as error:
                    raise NotAContact(f"{given.contacts} line {number}: {error}") from error
    if given.webhook:
        seed.add_webhook(double, account, given.webhook, secret=given.secret)


if __name__ == "__main__":
    main()
