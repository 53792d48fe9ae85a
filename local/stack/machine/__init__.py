"""What the servers need of this machine: an account, locks, ports, tools."""
