"""Studies that the node asks a PACS for; what comes takes the same way as what is sent."""
