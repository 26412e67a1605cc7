"""Puts saved_models/ and deploy/ into the wheel, as cnnzoo/saved_models and cnnzoo/deploy.

An editable install reads them where they are. They are no packages of their own: with them mapped into `cnnzoo`, an
editable install would find the package by an import hook, which loses to any folder named `cnnzoo` beside the script.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

DATA = {"saved_models": ("*.md", "*/*"), "deploy": ("*.yaml", "*.sbatch")}


class BuildWithData(build_py):
    """Copies the data folders beside the modules."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, target in self._data().items():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        data = [] if self.editable_mode else [str(target) for target in self._data().values()]
        return [*super().get_outputs(include_bytecode), *data]

    def _data(self) -> dict[Path, Path]:
        package = Path(self.build_lib) / "cnnzoo"
        sources = [path for folder, patterns in DATA.items() for p in patterns for path in Path(folder).glob(p)]
        return {source: package / source for source in sources if source.is_file()}


setup(cmdclass={"build_py": BuildWithData})
