"""Why a group must not go on in a partition: its log is not the one that the ledger counted. For probe and audit."""


def halt_reason(*, counted_in: str, cluster_id: str, next_offset: int, end: int | None) -> str | None:
    """As far as numbers tell: `counted_in` is the ledger's cluster, `end` the log's, None where there is no log."""
    # Offsets of another cluster mean nothing here: whatever else agrees, agrees by chance.
    if counted_in != cluster_id:
        return f"the ledger belongs to another Kafka cluster ({counted_in})"
    if end is None:
        return "Kafka has no such topic or partition"
    if end < next_offset:
        return f"the log ends at {end}, below {next_offset}: the topic was made again or truncated"
    return None


def another_record(offset: int) -> str:
    """Where numbers agree: a topic that was made again soon reaches the old offsets, but not with the same records."""
    return f"another record stands at offset {offset}: the topic was made again"
