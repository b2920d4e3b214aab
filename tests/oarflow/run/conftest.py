"""What runs need: the application's phantom and networks."""

from tests.app.conftest import ct, models

__all__ = ["ct", "models"]
