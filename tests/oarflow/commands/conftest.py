"""What runs need: the phantom and its networks."""

from tests.app.conftest import ct, models

__all__ = ["ct", "models"]
