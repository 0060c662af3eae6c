"""An app is found by its reference, or one sentence says why not."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from agent.app.app_error import AppError
from agent.app.loading import load_app
from tests.agent.app.import_state import restored_imports

APP = """
from agent import App
app = App(instructions="Be brief.")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """An empty working directory; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    with restored_imports(tmp_path):
        yield tmp_path


@pytest.mark.parametrize(
    "reference", ["some_app.py", "some_app.py:app", "some_app", "some_app:app", "./some_app.py"]
)
def test_a_module_or_a_file(folder: Path, reference: str) -> None:
    (folder / "some_app.py").write_text(APP)
    app = load_app(reference)
    assert app.personas[""].instructions == "Be brief."
    assert load_app(reference) is app


def test_a_file_called_like_a_package_of_ours(folder: Path) -> None:
    (folder / "agent.py").write_text(APP)
    (folder / "phrases.py").write_text("")
    assert load_app("agent.py").personas[""].instructions == "Be brief."


def test_a_file_imports_what_lies_beside_it(folder: Path) -> None:
    (folder / "apps").mkdir()
    (folder / "apps" / "phrases_of_the_test.py").write_text("BRIEF = 'Be kind.'")
    (folder / "apps" / "some_app.py").write_text(
        "from agent import App\nfrom phrases_of_the_test import BRIEF\n"
        "assistant = App(instructions=BRIEF)\n"
    )
    assert load_app("apps/some_app.py").personas[""].instructions == "Be kind."


WRONG = {
    "no_such_module:app": "APP=no_such_module:app: there is no module no_such_module",
    "no_such.py": "APP=no_such.py: there is no file {folder}/no_such.py",
    "some_app:assistant": "APP=some_app:assistant: some_app has no assistant; "
    "the apps in it are: app",
    "some_app:os": "APP=some_app:os: os is a module, expected an App",
    "empty": "APP=empty: empty has no app; there is no App in it",
    "broken.py": "APP=broken.py: invalid syntax ({folder}/broken.py, line 2)",
    "lacking": "APP=lacking: importing it failed: ModuleNotFoundError: No module named "
    "'not_installed' ({folder}/lacking.py, line 1)",
    "raising": "APP=raising: importing it failed: RuntimeError: no key ({folder}/raising.py, "
    "line 2)",
    "wrong_hook": "APP=wrong_hook: App: before_answer is called with 1 argument, which "
    "wrong_hook.look_up does not take ({folder}/wrong_hook.py, line 4)",
}


@pytest.mark.parametrize("reference", WRONG)
def test_a_wrong_one_is_one_sentence(folder: Path, reference: str) -> None:
    (folder / "some_app.py").write_text(f"import os\n{APP}")
    (folder / "empty.py").write_text("")
    (folder / "broken.py").write_text("\nx = = 1\n")
    (folder / "lacking.py").write_text("import not_installed\n")
    (folder / "raising.py").write_text("def fail(): \n    raise RuntimeError('no key')\nfail()\n")
    (folder / "wrong_hook.py").write_text(
        "from agent import App\nasync def look_up(): ...\n\napp = App(before_answer=look_up)\n"
    )
    with pytest.raises(AppError) as caught:
        load_app(reference)
    assert str(caught.value) == WRONG[reference].format(folder=folder)
