"""Makes the fixture parser importable for the proofs, and Pythons that have other versions of FastAPI."""

import functools
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))


@pytest.fixture(scope="session")
def python_with_fastapi(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return the path of a Python that has the FastAPI of a given version, in a virtual environment of its own."""

    @functools.cache
    def make(version: str) -> str:
        folder = tmp_path_factory.mktemp(f"fastapi-{version}-")
        venv.create(folder, with_pip=False)
        python = str(folder / "bin" / "python")
        # Old versions of FastAPI know python-multipart by its former module name only.
        packages = [f"fastapi=={version}", "uvicorn", "websockets", "python-multipart==0.0.9", "sqlalchemy"]
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        subprocess.run([*pip, *packages], check=True, timeout=300, capture_output=True)
        return python

    return make
