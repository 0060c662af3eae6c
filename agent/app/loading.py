"""Finding an app by its reference: a module and an attribute, or a file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from agent.app.app import App
from agent.app.app_error import AppError
from agent.telemetry.code_place import code_place

ATTRIBUTE: Final = "app"
"""Name of the app in its module, unless the reference has one."""


@cache
def load_app(reference: str) -> App:
    """The app that a reference names, the same one each time.

    Args:
        reference: `my_app:app`, `package.module`, `my_app.py` or `folder/my_app.py:app`.

    Raises:
        AppError: in one sentence, why it cannot be used.
    """
    place, colon, attribute = reference.rpartition(":")
    if not colon:
        place, attribute = attribute, ""
    if place.endswith(".py"):
        module = _imported(reference, lambda: _from_file(reference, Path(place)))
    else:
        module = _imported(reference, lambda: _from_name(reference, place))
    return _app_in(reference, module, attribute)


def _from_name(reference: str, name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path and "" not in sys.path:
        # As `python -m` has it; a console script has the folder of its own there.
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise AppError(f"APP={reference}: there is no module {error.name}") from None


def _from_file(reference: str, path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise AppError(f"APP={reference}: there is no file {path}")
    folder = str(path.parent)
    if folder not in sys.path:
        # Behind what is installed: a file that is called like a package must not take its place.
        sys.path.append(folder)
    # Files are called agent.py and app.py, as packages are, this one among them.
    name = path.stem if path.stem not in sys.modules else f"{path.stem}__app"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise AppError(f"APP={reference}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _imported(reference: str, load: Callable[[], ModuleType]) -> ModuleType:
    try:
        return load()
    except AppError as error:
        text = str(error)
        if text.startswith("APP="):
            raise
        raise AppError(f"APP={reference}: {text}{code_place(error)}") from None
    except SyntaxError as error:
        where = f" ({error.filename}, line {error.lineno})" if error.filename else ""
        raise AppError(f"APP={reference}: {error.msg}{where}") from None
    except Exception as error:
        # The boundary around the app's own module: whatever it raises, it is one sentence.
        what = f"{type(error).__name__}: {error}".splitlines()[0] + code_place(error)
        raise AppError(f"APP={reference}: importing it failed: {what}") from error


def _app_in(reference: str, module: ModuleType, attribute: str) -> App:
    found: object = getattr(module, attribute or ATTRIBUTE, None)
    if isinstance(found, App):
        return found
    if attribute and hasattr(module, attribute):
        raise AppError(f"APP={reference}: {attribute} is a {type(found).__name__}, expected an App")
    apps = [name for name, value in vars(module).items() if isinstance(value, App)]
    if not attribute and len(apps) == 1:
        return getattr(module, apps[0])
    has = f"the apps in it are: {', '.join(apps)}" if apps else "there is no App in it"
    raise AppError(f"APP={reference}: {module.__name__} has no {attribute or ATTRIBUTE}; {has}")
