"""`analyze`: a packet dissector and protocol analyzer. See docs/architecture.md; `Analysis` is the way in for programs."""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import Analysis

__all__ = ["Analysis", "__version__", "compiled"]
__version__ = "0.1.0"


class _Interpreted:
    """ANALYZE_PURE=1: prefer a module's .py to what was compiled from it."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if not name.startswith("analyzer."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None or spec.origin.endswith(".py"):
            return spec
        source = os.path.join(os.path.dirname(spec.origin), os.path.basename(spec.origin).split(".")[0] + ".py")
        return spec_from_file_location(name, source, loader=SourceFileLoader(name, source))


if os.environ.get("ANALYZE_PURE"):
    sys.meta_path.insert(0, _Interpreted)


def compiled() -> bool:
    """Whether the sequential modules run compiled."""
    from .capture import _records

    return not (_records.__file__ or "").endswith(".py")


def __getattr__(name: str) -> Any:
    if name == "Analysis":
        from .analysis import Analysis

        return Analysis
    raise AttributeError(f"module 'analyzer' has no attribute {name!r}")
