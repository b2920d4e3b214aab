"""A process that carries out order after order, so that libraries and networks load once."""
