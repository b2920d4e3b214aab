"""C2F: the coarse views' fusion, and the views against it."""
