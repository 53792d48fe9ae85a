"""What others stumbled over, as it was sent."""

from pathlib import Path

FOLDER = Path(__file__).parent
