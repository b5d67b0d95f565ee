"""The command line: `chorus up | run | doctor | audit | models | user`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from pydantic import ValidationError

from services.cli.audit import audit
from services.cli.models import build_models_app
from services.cli.run import AfterAudio, Delivery, RunRequest, Silence, left_out, run_batch
from services.cli.token import build_token_app
from services.cli.user import build_user_app
from services.errors import ChorusError
from services.jobs.model import Priority
from services.local.doctor import examine
from services.local.own_stack import usable_stack
from services.local.settings import LocalSettings
from services.local.stack import run_stack
from services.printable import printable
from services.timeline import Extend


def main() -> None:
    """Entry point of the `chorus` command."""
    try:
        settings = LocalSettings()
        _build(settings)(args=spread_videos(sys.argv[1:]), prog_name="chorus", obj=settings)
    except ChorusError as error:
        _complain(error.message)
        sys.exit(1)
    except ValidationError as error:
        _complain(f"A CHORUS_ variable is wrong:\n{error}")
        sys.exit(2)


def spread_videos(arguments: Sequence[str]) -> list[str]:
    """`--video a b` becomes `--video a --video b`, which is what typer understands."""
    spread: list[str] = []
    in_videos = False
    for argument in arguments:
        if argument.startswith("-"):
            in_videos = argument == "--video" or argument.startswith("--video=")
        elif in_videos and spread[-1] != "--video":
            spread.append("--video")
        spread.append(argument)
    return spread


def up(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the page; 0: any free one")] = None,
) -> None:
    """Start Chorus on this machine, and keep it running until Ctrl-C."""
    settings: LocalSettings = context.obj
    # Whatever these processes make is for the eyes of their user: uploads, outputs, databases, logs.
    os.umask(0o077)
    if port is not None:
        settings = settings.model_copy(update={"port": port})
    try:
        run_stack(settings, _stop_on_signals(), _report)
    except ChorusError as error:
        _complain(f"{error.message}\nThe log: {settings.folders.log_file}")
        raise typer.Exit(1) from error


def run(
    context: typer.Context,
    audio: Annotated[Path, typer.Option(help="The speech")],
    video: Annotated[list[Path], typer.Option(metavar="V [V ...]", help="Videos, photos, or folders of them")],
    output_dir: Annotated[Path, typer.Option(help="Where the outputs go, as <name of the video>.mp4")],
    extend: Annotated[Extend, typer.Option(help="When the speech is longer than the video")] = Extend.PINGPONG,
    after_audio: Annotated[AfterAudio, typer.Option(help="When the speech is shorter: end with it, or go on")] = (
        AfterAudio.END
    ),
    crf: Annotated[int, typer.Option(min=0, max=35, help="Quality, 0 is lossless")] = 18,
    face: Annotated[int | None, typer.Option(min=0, help="Which face, 0 is the largest and most central")] = None,
    expression: Annotated[float, typer.Option(min=0.5, max=1.5, help="How far the mouth opens, 1 is natural")] = 1.0,
    smoothing: Annotated[float, typer.Option(min=0, max=1, help="0 moves the mouth as spoken, 1 calmly")] = 0.0,
    silence: Annotated[Silence, typer.Option(help="In pauses: a resting mouth, or the video's own")] = Silence.REST,
    still_motion: Annotated[bool, typer.Option(help="A photo gets slight head motion and blinks")] = True,
    delivery: Annotated[Delivery, typer.Option(help="Play everywhere, or keep 10 bits, chroma and HDR")] = (
        Delivery.COMPATIBLE
    ),
    family: Annotated[str, typer.Option(help="The lip-sync family; see `chorus models`")] = "default",
    priority: Annotated[Priority, typer.Option(help="While others wait, high comes twice as often")] = Priority.NORMAL,
) -> None:
    """Make each video speak the recording. The exit code is the number of videos that failed."""
    options: dict[str, str | float] = {
        "extend": extend.value,
        "after_audio": after_audio.value,
        "crf": crf,
        "delivery": delivery.value,
        "family": family,
        "expression": expression,
        "smoothing": smoothing,
        "silence": silence.value,
        "still_motion": still_motion,
    }
    if face is not None:
        options["face"] = face
    request = RunRequest(audio=audio, videos=tuple(video), output_dir=output_dir, options=options, priority=priority)
    for path in left_out(request.videos):
        _complain(f"{printable(str(path))} is left out: it is no video or photo by its ending")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the batch is cancelled
    try:
        with usable_stack(context.obj, _report) as stack:
            failed = run_batch(stack, request)
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(130) from interrupt
    except ChorusError as error:
        _complain(error.message)
        failed = len(video)
    raise typer.Exit(min(failed, 100))


def doctor(context: typer.Context) -> None:
    """Say what this machine lacks to run Chorus, and what to do."""
    good = True
    for finding in examine(context.obj):
        good &= finding.good
        _report(f"{'ok  ' if finding.good else 'FAIL'}  {finding.name:<10} {finding.text}")
    raise typer.Exit(0 if good else 1)


def _build(settings: LocalSettings) -> typer.Typer:
    folders = settings.folders
    places = f"Log of all processes: {folders.log_file} | data: {folders.data} (CHORUS_HOME moves both)"
    app = typer.Typer(
        help="One voice, many faces: lip-sync.", epilog=places, no_args_is_help=True, add_completion=False
    )
    for command in (up, run, doctor, audit):
        app.command(epilog=places)(command)
    app.add_typer(build_models_app(), name="models")
    app.add_typer(build_user_app(), name="user")
    app.add_typer(build_token_app(), name="token")
    return app


def _stop_on_signals() -> Event:
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # `nohup chorus up`
            signal.signal(number, lambda *_: stop.set())
    return stop


def _report(line: str) -> None:
    # The terminal may be gone (SIGHUP): that must not keep the stack from stopping.
    with suppress(OSError):
        typer.echo(line)


def _complain(text: str) -> None:
    typer.echo(text, err=True)


if __name__ == "__main__":
    main()
