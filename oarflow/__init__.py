"""OARflow: contours of the organs at risk on planning CTs of the head and neck."""

__version__ = "0.1.0"
