"""Training of localizers and organ networks; nothing in serving imports it."""
