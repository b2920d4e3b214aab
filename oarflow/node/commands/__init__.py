"""The commands of `python -m oarflow.node`: one module each.

A module here with HELP, add_arguments(parser) and main(flags, settings) -> exit status is a
command of its name.
"""
