"""The wheel carries copies of the two files that a checkout keeps outside its packages."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = {"models/organs.yaml": "oarflow/organs.yaml", "app.yaml": "app/app.yaml"}


class BuildWithData(build_py):
    """Copies the files of CARRIED into their packages in the build folder."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source, target in CARRIED.items():
            if Path(source).is_file():
                shutil.copyfile(source, Path(self.build_lib) / target)


setup(cmdclass={"build_py": BuildWithData})
