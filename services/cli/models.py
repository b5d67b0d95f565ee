"""`chorus models [list] | show | import | remove | bench`: the lip-sync families, and those that a user brings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from services.acting import Deed
from services.cli.bench import bench
from services.cli.calibration import write_pairs
from services.cli.own_database import keep_if_possible
from services.errors import ChorusError, ErrorKind
from services.importing.importer import Calibration, import_file, remove_family
from services.jobs.engines import ENGINES
from services.jobs.families import family_cards
from services.jobs.imported import IMPORTED, ImportedFamily
from services.local.own_stack import usable_stack
from services.local.run_file import find_running
from services.local.settings import LocalSettings
from services.printable import printable
from services.triton import PLAN_SECONDS, TritonClient


def build_models_app() -> typer.Typer:
    """The commands, on the folder that CHORUS_FAMILIES names or else that of the user's data."""
    app = typer.Typer(help="The lip-sync families and their licences.", invoke_without_command=True)
    app.callback()(_listed_alone)
    for command in (list_families, show, import_model, remove, bench):
        app.command(name=command.__name__.partition("_")[0])(command)
    return app


def _listed_alone(context: typer.Context) -> None:
    """The lip-sync families and their licences; `chorus models import FILE` adds one of your own."""
    settings: LocalSettings = context.obj
    IMPORTED.look_in(settings.family_folder)
    if not settings.triton_url:
        ENGINES.look_in(settings.folders.engines)
    if context.invoked_subcommand is None:
        list_families()


def list_families() -> None:
    """List the lip-sync families and their licences."""
    for card in family_cards().values():
        typer.echo(f"{card.name:<12} licence: {card.licence}   {card.description}")


def show(context: typer.Context, name: Annotated[str, typer.Argument(help="A name from `chorus models list`")]) -> None:
    """Say what there is to know of a family."""
    card = family_cards().get(name)
    if card is None:
        choices = ", ".join(family_cards())
        _fail(ChorusError(ErrorKind.INVALID_INPUT, "family-unknown", family=name, choices=choices))
    facts = {"name": card.name, "licence": card.licence, "description": card.description}
    facts |= {"engine": card.engine} if card.engine else {}
    if (family := IMPORTED.find(name)) is not None:
        settings: LocalSettings = context.obj
        if family.compared:
            facts["compared"] = _compared_text(family)
        facts |= {
            "recognised": family.variant,
            "from": f"{family.container}, sha256 {family.source_sha256}",
            "checked": f"differs from the file's net by at most {family.steps} of 255 levels",
            "folder": str(settings.family_folder / name),
        }
    for fact, value in facts.items():
        typer.echo(f"{fact:<12} {value}")


def import_model(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="A Wav2Lip: .pth, TorchScript, safetensors or ONNX; or the folder of a MuseTalk 1.5")
    ],
    name: Annotated[str | None, typer.Option(help="What to call the family; by default after its net")] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="Shown wherever the family can be chosen; by default that of the published weights"),
    ] = None,
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(help="Compute in fewer bits, measured with this footage: videos that talk, or folders of them"),
    ] = None,
) -> None:
    """Make a checkpoint of your own a family. Only its weights are read; no code in it ever runs."""
    settings: LocalSettings = context.obj
    typer.echo(f"Reading {file.name}; this takes {'some minutes' if file.is_dir() else 'half a minute or so'}")
    try:
        if calibrate and file.is_dir():
            raise ChorusError(ErrorKind.INVALID_INPUT, "fewer-bits-not-here", name=file.name)
        taken = {*family_cards(), *settings.models}
        with _calibration(settings, calibrate or ()) as calibration:
            family = import_file(
                file,
                settings.family_folder,
                wanted_name=name,
                licence=licence,
                taken=taken,
                calibration=calibration,
            )
        typer.echo(f"{family.name}: {family.description}; licence: {family.licence}")
        keep_if_possible(settings, Deed(action="model.import", thing=family.name))
        typer.echo(f"Its graph differs from the file's net by at most {family.steps} of 255 levels")
        if family.compared:
            typer.echo(f"{family.precision}: {_compared_text(family)}")
        elif calibrate:
            typer.echo("32-bit floats are served", err=True)
        loaded = _tell_triton(settings, family.models[::-1])
    except ChorusError as error:
        _fail(error)
    typer.echo(
        f"Use it with `--family {family.name}`, on the page or over the API" + ("" if loaded else " once Chorus runs")
    )


@contextmanager
def _calibration(settings: LocalSettings, footage: Sequence[Path]) -> Iterator[Calibration | None]:
    """None without footage; else with the running stack, or one for the time of the block."""
    if not footage:
        yield None
        return
    missing = [path for path in footage if not path.exists()]
    if missing:
        raise ChorusError(ErrorKind.INVALID_INPUT, "fewer-bits-no-footage", places=printable(str(missing[0])))
    with usable_stack(settings, lambda line: typer.echo(line, err=True)) as stack:

        def write(side: int, target: Path) -> None:
            write_pairs(stack, settings.store, footage, side, target, typer.echo)
            typer.echo("Computing in fewer bits and comparing; this takes some minutes")

        def refused(error: ChorusError) -> None:
            typer.echo(f"Refused: {error.message}", err=True)

        yield Calibration(write, refused)


def _compared_text(family: ImportedFamily) -> str:
    """What was measured of a family in fewer bits."""
    found = family.compared
    return (
        f"{found['psnr']:.1f} dB from floats in the mouth, what the sound moves agrees by r "
        f"{found['agreement']:.3f}, {found['gain']:.1f} times as fast here; {found['pairs']:.0f} pairs of the footage "
        f"calibrated it, {found['tried']:.0f} others tried it"
    )


def remove(context: typer.Context, name: Annotated[str, typer.Argument(help="A family that was imported")]) -> None:
    """Remove a family that was imported; jobs that still want it fail."""
    settings: LocalSettings = context.obj
    try:
        models = remove_family(settings.family_folder, name)
        keep_if_possible(settings, Deed(action="model.remove", thing=name))
        _tell_triton(settings, models, gone=True)
    except ChorusError as error:
        _fail(error)
    typer.echo(f"{name} is removed")


def _tell_triton(settings: LocalSettings, models: Sequence[str], *, gone: bool = False) -> bool:
    """Have the running Triton load or drop models; False when none runs."""
    running = find_running(settings.folders)
    address = settings.triton_url or (running.triton if running is not None else "")
    if not address:
        return False
    tls = settings.triton_tls if settings.triton_url else None
    with closing(TritonClient(address, tls=tls, timeout_seconds=PLAN_SECONDS)) as triton:
        for model in models:
            try:
                (triton.unload if gone else triton.load)(model)
            except ChorusError as error:
                reason = str(error.values.get("reason", error.message))
                raise ChorusError(
                    ErrorKind.UNAVAILABLE, "import-not-loaded", address=address, name=model, reason=reason
                ) from error
    return True


def _fail(error: ChorusError) -> NoReturn:
    typer.echo(error.message, err=True)
    raise typer.Exit(1) from error
