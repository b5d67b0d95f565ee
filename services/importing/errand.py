"""The process in which an api imports a file or removes a family, for it carries neither ONNX nor a client of Triton.

On stdin one JSON document, see Errand; on stdout a line of JSON at each stage, and a last one with what came of it.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from services.errors import ChorusError, ErrorKind, error_to_json
from services.folders import folder_error
from services.importing.importer import import_file, remove_family, sweep_leftovers
from services.tls.identity import ClientTls

if TYPE_CHECKING:
    from services.triton import TritonClient

# A Triton that looks into its repository by itself does so every 15 s, and takes no word to load.
_TAKEN_UP_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What is to be done."""

    what: str
    """import, remove or sweep"""
    repository: str
    triton: str
    """host:port"""
    tls: Sequence[str | None] = ()
    """The paths of a ClientTls; empty: in the clear"""
    name: str | None = None
    licence: str = ""
    path: str = ""
    called: str = ""
    taken: Sequence[str] = ()


def main() -> int:
    """The exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaves every `with` block behind as it shall be
    errand = Errand(**json.load(sys.stdin))
    try:
        said: Mapping[str, Any] = {"succeeded": _WORK[errand.what](errand)}
    except ChorusError as error:
        said = {"failed": error_to_json(error)}
    except ImportError as error:
        said = {"failed": error_to_json(ChorusError(ErrorKind.UNAVAILABLE, "import-lacks", package=str(error.name)))}
    except OSError as error:
        said = {"failed": error_to_json(folder_error(Path(errand.repository), error))}
    _say(said)
    return 0 if "succeeded" in said else 1


def _import(errand: Errand) -> dict[str, Any]:
    """The family as its manifest says; one that Triton does not take is gone again."""
    repository = Path(errand.repository)
    _say({"stage": "reading"})
    with _triton(errand) as triton:
        taken = {*errand.taken, *triton.names()}
        family = import_file(
            Path(errand.path),
            repository,
            wanted_name=errand.name,
            licence=errand.licence,
            taken=taken,
            called=errand.called,
        )
        _say({"stage": "loading"})
        with _taken_back_on_failure(repository, family.name):
            for model in reversed(family.models):
                _load(triton, model, errand.triton)
    return asdict(family)


@contextmanager
def _taken_back_on_failure(repository: Path, name: str) -> Iterator[None]:
    """Also when the import is cancelled: nobody shall choose what is not served."""
    try:
        yield
    except BaseException:
        with suppress(ChorusError):  # somebody has removed it meanwhile
            remove_family(repository, name)
        raise


def _load(triton: TritonClient, name: str, address: str) -> None:
    try:
        triton.load(name)
    except ChorusError as error:
        # A model that cannot be loaded is another error than a server that takes no word.
        patience = _TAKEN_UP_SECONDS if error.kind is ErrorKind.UNAVAILABLE else 0
        end = time.monotonic() + patience
        while not triton.ready([name]):
            if time.monotonic() >= end:
                reason = str(error.values.get("reason", error.message))
                raise ChorusError(error.kind, "import-not-taken", address=address, name=name, reason=reason) from error
            time.sleep(1)


def _remove(errand: Errand) -> dict[str, Any]:
    models = remove_family(Path(errand.repository), str(errand.name))
    # Without its files Triton drops a model at its next start, or by itself where it looks into its repository.
    with suppress(ChorusError), _triton(errand) as triton:
        for model in models:
            triton.unload(model)
    return {}


def _sweep(errand: Errand) -> dict[str, Any]:
    sweep_leftovers(Path(errand.repository))
    return {}


@contextmanager
def _triton(errand: Errand) -> Iterator[TritonClient]:
    # Here and not above: to sweep nobody needs it, and an api without it shall say which package it lacks.
    from services.triton import PLAN_SECONDS, TritonClient

    tls = ClientTls(*(path and Path(path) for path in errand.tls)) if errand.tls else None  # type: ignore[arg-type]
    with closing(TritonClient(errand.triton, tls=tls, timeout_seconds=PLAN_SECONDS)) as client:
        yield client


def _say(said: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


_WORK: Final[dict[str, Callable[[Errand], dict[str, Any]]]] = {"import": _import, "remove": _remove, "sweep": _sweep}


if __name__ == "__main__":
    sys.exit(main())
