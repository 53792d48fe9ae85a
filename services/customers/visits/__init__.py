"""widget.events of known customers → where they are in the shop just now."""
