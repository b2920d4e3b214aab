"""The node's database: tables, migrations, and one function for each event."""

from oarflow.node.database.engine import Database

__all__ = ["Database"]
