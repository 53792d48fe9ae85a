"""HTTP of a process, and connections that nobody can hold for nothing."""
