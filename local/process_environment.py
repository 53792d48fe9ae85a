"""Settings as the environment of a process of its own."""

from pydantic import SecretStr

from services.kernel.settings import Settings


def environment_of(settings: Settings) -> dict[str, str]:
    """What to tell a process, so that its settings are these."""
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        Settings.variable(name): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None
    }
