"""SLICE's experiment: networks on crops against networks on full slices."""
