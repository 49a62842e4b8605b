"""Do what pyproject.toml cannot: conf/ and the demo data, kept at the top of the repository, go into the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = {"conf/**/*.yaml": "datamap/conf", "data/demo*.*": "datamap/demo"}


class BuildWithConf(build_py):
    """Copy the files into the wheel; an editable install reads those of the clone (cli/places.py)."""

    def shipped(self):
        """(file of the repository, its place in the built package), of each."""
        for pattern, folder in SHIPPED.items():
            top = pattern.partition("/")[0]
            for file in sorted(Path().glob(pattern)):
                yield file, Path(self.build_lib, folder, file.relative_to(top))

    def run(self):
        super().run()
        for file, target in () if self.editable_mode else self.shipped():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)

    def get_outputs(self, include_bytecode=True):
        shipped = [] if self.editable_mode else [str(target) for _, target in self.shipped()]
        return super().get_outputs(include_bytecode) + shipped


setup(cmdclass={"build_py": BuildWithConf})
