"""python -m export.training train | evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from export.training import evaluation
from export.training.kokoro import Kokoro
from export.training.recipe import Effort, Sources, music_of
from export.training.recipe import train as follow

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_MUSIC = Path("/usr/share/asterisk/moh/opsound")
_PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
_WORDNET = Path("/usr/share/wordnet")
_KOKORO = Path("build/kokoro")


@app.command()
def train(
    folder: Annotated[Path, typer.Option(help="where everything is kept; a second run goes on from there")],
    music: Annotated[Path, typer.Option(help="the music of asterisk-moh-opsound-g722")] = _MUSIC,
    wordnet: Annotated[Path, typer.Option(help="the files of wordnet-base")] = _WORDNET,
    kokoro: Annotated[Path, typer.Option(help="the packages of Kokoro-82M")] = _KOKORO,
    steps: Annotated[int, typer.Option(help="steps of the fit")] = Effort().steps,
    seed: int = Effort().seed,
    threads: int = 2,
) -> None:
    """Make new weights and the ONNX models from them."""
    torch.set_num_threads(threads)
    sources = Sources(kokoro, wordnet, music)
    models = follow(folder, sources, Effort(steps=steps, seed=seed), lambda line: print(line, flush=True))
    print(f"{models[0]}, {models[1]}, weights beside them")


@app.command()
def evaluate(
    nets: Annotated[
        list[str], typer.Argument(help="NAME=FOLDER with speech_features.onnx and speech_to_mouth.onnx, any number")
    ],
    music: Annotated[Path, typer.Option(help="the music of asterisk-moh-opsound-g722")] = _MUSIC,
    prompts: Annotated[Path, typer.Option(help="the English prompts of asterisk-core-sounds-en-g722")] = _PROMPTS,
    prompt_texts: Annotated[Path | None, typer.Option(help="their words, lines of 'name: words'")] = None,
    kokoro: Annotated[Path | None, typer.Option(help="the packages of Kokoro-82M")] = None,
    clip: Annotated[Path | None, typer.Option(help="a recording of English speech")] = None,
    clip_text: Annotated[Path | None, typer.Option(help="its words; else pocketsphinx decodes it")] = None,
    room: Annotated[Path | None, typer.Option(help="a recording in which nobody speaks")] = None,
) -> None:
    """Print one table for all nets on recordings that no training has seen."""
    sets: dict[str, list[evaluation.Recording]] = {}
    if clip is not None:
        sets["natural English: clip"] = evaluation.clip(clip, clip_text.read_text() if clip_text else None)
    if prompt_texts is not None:
        sets["natural English: prompts"] = list(evaluation.prompts(prompts, prompt_texts))
    narrator = Kokoro(kokoro) if kokoro is not None else None
    if narrator is not None:
        sets |= evaluation.narrated(narrator)
        sets["sung English"] = evaluation.sung(sets["narrated English"])
    sets |= evaluation.by_language(narrator)
    sets["synthetic English"] = list(evaluation.synthetic(evaluation.ENGLISH, evaluation.ENGLISH_VOICES))
    sets["synthetic Mandarin"] = list(evaluation.synthetic(evaluation.MANDARIN, evaluation.MANDARIN_VOICES))
    resting = [*music_of(music)[-1:], *([room] if room else [])]
    sets["nobody speaks"] = list(evaluation.silence_and_noise(resting))
    served = {name: evaluation.Served(Path(folder)) for name, folder in (net.split("=", 1) for net in nets)}
    rows = {
        title: {name: evaluation.measured(net, recordings) for name, net in served.items()}
        for title, recordings in sets.items()
    }
    print(evaluation.table(rows))


if __name__ == "__main__":
    app()
