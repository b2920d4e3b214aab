"""The web page: studies with live state, search, the report inside, and what a person can do."""
