"""What a failed batch needs, beyond what SQLSTATE says."""

import asyncpg

from services.kernel.errors import Verdict, verdict


def test_driver_that_lost_track_of_its_connection_makes_no_record_guilty() -> None:
    assert verdict(asyncpg.InternalClientError("got result for unknown protocol state 3")) is Verdict.AGAIN
