"""One database is the truth: tables, migrations, and a function for each thing that happens."""

from oarflow.node.database.engine import Database

__all__ = ["Database"]
