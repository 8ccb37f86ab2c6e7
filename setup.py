"""The modules that Cython compiles; everything else about the project is in pyproject.toml.

ANALYZE_PURE=1 leaves compiling out; a failing compiler does too (the modules then run interpreted, only slower).
"""

import os

from setuptools import Extension, setup

COMPILED = ("analyzer/capture/_records.py", "analyzer/protocols/_walk.py", "analyzer/reassembly/_numbers.py")

modules = []
if not os.environ.get("ANALYZE_PURE"):
    from Cython.Build import cythonize

    extensions = [Extension(path[:-3].replace("/", "."), [path], optional=True) for path in COMPILED]
    modules = cythonize(extensions, build_dir="build", language_level=3, quiet=True)

setup(ext_modules=modules)
