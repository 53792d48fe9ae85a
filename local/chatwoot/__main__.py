"""A Chatwoot double as a program: `python -m local.chatwoot --port 3000 --account 3 --token secret`, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import json

import uvloop

from local.chatwoot import seed
from local.chatwoot.app import serving
from local.chatwoot.double import Double


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 takes a free port")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; a container's is 0.0.0.0")
    parser.add_argument("--release", default="4.13.0", help="the release to play, such as 3.16.0")
    parser.add_argument("--account", type=int, help="an account that exists from the start")
    parser.add_argument("--token", default="token", help="its administrator's api_access_token")
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(parser.parse_args()))


async def _serve(given: argparse.Namespace) -> None:
    """Print where it answers, as one line of JSON, and stay."""
    double = Double(given.release)
    if given.account is not None:
        seed.add_account(double, given.account, token=given.token)
    async with serving(double, port=given.port, host=given.host) as base_url:
        print(json.dumps({"base_url": base_url, "platform_token": double.state.platform_token}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
