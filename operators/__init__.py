"""The application's operators. Each receives a study, calls one step and emits the study."""
