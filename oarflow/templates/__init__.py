"""Templates: settings for one kind of CT, chosen by rules on the CT's header and its caller."""
