"""Independent services over one kernel; `services.cli` is the only module that imports them all."""
