"""From a topic to rows: each record has its effect once, whatever dies when. `consume` is the door."""
