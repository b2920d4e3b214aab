"""OARflow as a MONAI Application Package: its manifests, and a linter for such packages.

The requirements' ids (R1, E1, A3, ...) are those of docs/integrating.md. Nothing here imports
networks or the SDK.
"""
