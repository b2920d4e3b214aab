"""A folder of studies, contoured without the network."""
