"""Compiles the modules that import cython; everything else about the project is in pyproject.toml.

ANALYZE_PURE=1 leaves compiling out; a compiler that fails or is missing does too (the modules then run interpreted).
"""

import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

COMPILED = [str(path) for path in sorted(Path("analyzer").rglob("*.py")) if "\nimport cython\n" in path.read_text(encoding="utf-8")]


class Optional(build_ext):
    """A compiler that is not there counts as one that fails: setuptools goes on without what is optional.

    Modules are compiled side by side.
    """

    def initialize_options(self) -> None:
        super().initialize_options()
        self.parallel = True  # as many as there are processors

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except OSError as error:
            raise CompileError(str(error)) from error


modules = []
if not os.environ.get("ANALYZE_PURE"):
    from Cython.Build import cythonize

    modules = cythonize(COMPILED, nthreads=os.cpu_count() or 1, build_dir="build", language_level=3, quiet=True)
    for module in modules:
        module.optional = True

setup(ext_modules=modules, cmdclass={"build_ext": Optional})
