"""From a finished job to its destinations: by rules, again and again, each object once."""
