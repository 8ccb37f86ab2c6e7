"""The modules that Cython compiles; everything else about the project is in pyproject.toml.

ANALYZE_PURE=1 leaves compiling out; a compiler that fails or is missing does too (the modules then run interpreted).
"""

import os

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

COMPILED = (
    "analyzer/_gather.py",
    "analyzer/_strings.py",
    "analyzer/capture/_records.py",
    "analyzer/protocols/_ber.py",
    "analyzer/protocols/_checksum.py",
    "analyzer/protocols/_cut.py",
    "analyzer/protocols/_names.py",
    "analyzer/protocols/_handshake.py",
    "analyzer/protocols/_http.py",
    "analyzer/protocols/_lines.py",
    "analyzer/protocols/_walk.py",
    "analyzer/protocols/_websocket.py",
    "analyzer/reassembly/_datagrams.py",
    "analyzer/reassembly/_earlier.py",
    "analyzer/reassembly/_elsewhere.py",
    "analyzer/reassembly/_media.py",
    "analyzer/reassembly/_numbers.py",
    "analyzer/reassembly/_questions.py",
    "analyzer/reassembly/tcp_facts.py",
    "analyzer/reassembly/_pieces.py",
    "analyzer/reassembly/tcp_figures.py",
    "analyzer/reassembly/tcp_tracker.py",
)


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

    modules = cythonize(list(COMPILED), nthreads=os.cpu_count() or 1, build_dir="build", language_level=3, quiet=True)
    for module in modules:
        module.optional = True

setup(ext_modules=modules, cmdclass={"build_ext": Optional})
