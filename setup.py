"""Compiles the modules that import cython; everything else about the project is in pyproject.toml.

ANALYZE_PURE=1 leaves compiling out; a compiler that fails or is missing does too (the modules then run interpreted).
"""

import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

COMPILED = [str(path) for path in sorted(Path("analyzer").rglob("*.py")) if "\nimport cython\n" in path.read_text(encoding="utf-8")]
SHARED = "analyzer._cython"


class Optional(build_ext):
    """A compiler that is missing counts as one that fails: setuptools goes on without what is optional.

    Modules are compiled side by side, behind the one that they share; without it none can be used.
    """

    def initialize_options(self) -> None:
        super().initialize_options()
        self.parallel = True  # as many as there are processors

    def build_extensions(self) -> None:
        shared = self.extensions[0]
        try:
            self.build_extension(shared)
        except CompileError as error:
            self.warn(f"nothing is compiled, the program will run interpreted: {error}")
            self.extensions = []
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except OSError as error:
            raise CompileError(str(error)) from error


modules = []
if not os.environ.get("ANALYZE_PURE"):
    from Cython.Build import cythonize

    # What every module would have of Cython's own (memoryviews above all) is compiled once, in a module of its own: a third of the time.
    shared = Extension(SHARED, ["build/_cython.c"])
    modules = cythonize(
        [shared, *COMPILED],
        nthreads=os.cpu_count() or 1,
        build_dir="build",
        language_level=3,
        quiet=True,
        shared_utility_qualified_name=SHARED,
        compiler_directives={"auto_pickle": False},
    )
    for module in modules:
        module.optional = True
        module.extra_compile_args = [] if os.name == "nt" else ["-g0"]
    print(f"compiling {len(modules)} modules (ANALYZE_PURE=1 leaves it out)", flush=True)

setup(ext_modules=modules, cmdclass={"build_ext": Optional})
