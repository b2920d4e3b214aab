"""OARflow as a MONAI Application Package: its manifests, and a linter for such packages.

`python -m deploy.map_package lint --all TARGET` lists the requirements with their ids: R the
package, H the host, E variables, F folders, A app.json, P pkg.json, B behaviour, X OARflow's own.
Nothing here imports networks or the SDK.
"""
