"""What `oarflow node doctor` checks, each check with its remedy."""
