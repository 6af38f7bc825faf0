"""PyInstaller hooks of this package, which PyInstaller finds by the entry point `hook-dirs`.

See: PyInstaller manual, "Providing PyInstaller Hooks with your Package".
"""

from pathlib import Path


def hook_dirs() -> list[str]:
    """Return the folder of the hooks."""
    return [str(Path(__file__).parent)]
