"""The web page: the list of studies, each study with its report, and the actions of users."""
