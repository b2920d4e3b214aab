"""The checks of `oarflow node doctor`. Each finding that needs action has a remedy."""
