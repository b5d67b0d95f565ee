"""Where the one-machine stack keeps its state, and what its processes are given; reads the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.folders import make_folder
from services.jobs.encoders import EncoderChoice
from services.tls.settings import ServerTlsSettings, TritonTlsSettings

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one stack; two stacks never share them."""

    data: Path
    """chorus.db and artifacts/: worth a backup"""
    logs: Path
    """chorus.log and its older parts"""
    scratch: Path
    """Temporary files; may be emptied whenever the stack is down"""
    run: Path
    """Lock and address of the running stack"""

    @property
    def engines(self) -> Path:
        """What computes each model, as the embedded Triton says."""
        return self.scratch / "engines"

    @property
    def plans(self) -> Path:
        """What TensorRT has made of nets for this machine's GPUs."""
        return self.scratch / "plans"

    @property
    def log_file(self) -> Path:
        return self.logs / "chorus.log"

    def make(self) -> None:
        """Create what is missing, and close what others may look into: older releases and `umask` left it open."""
        for folder in (self.data, self.logs, self.scratch, self.run):
            make_folder(folder, private=True)
        for file in (each for folder in (self.data, self.logs) for each in folder.iterdir() if each.is_file()):
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


class LocalSettings(ServerTlsSettings, TritonTlsSettings):
    """Settings of `chorus up`, from CHORUS_* variables; those of the other processes are passed through to them.

    Of the certificates, the api's doors get the server's; between the processes of one machine nothing is encrypted.
    """

    model_config = SettingsConfigDict(
        env_prefix="CHORUS_", frozen=True, env_ignore_empty=True, populate_by_name=True, use_attribute_docstrings=True
    )

    home: Path | None = None
    """One folder for everything: state, log, scratch; without it the XDG folders of the user"""
    host: str = "127.0.0.1"
    """Address the page and the API listen on; 0.0.0.0 opens them to the network"""
    port: int = Field(default=7860, ge=0, le=65535)
    """Port of the page and of the REST API; 0: any free one"""
    users: Path | None = None
    """File of those who may log in; without it `users` in the data folder, where there is one"""
    token: str = Field(default="", repr=False)
    """What programs show to a locked stack; without it `chorus up` makes one for the programs of this user"""
    database_url: str = ""
    """postgresql://user:password@host/database that other machines share; empty: SQLite in the data folder"""
    store_url: str = ""
    """s3://bucket or another place that other machines share; empty: a folder in the data folder"""
    triton_url: str = ""
    """host:port of a Triton elsewhere, or dns:///name:port; empty: the embedded one is started"""
    triton_runtime: Path = Path(sys.prefix) / "triton"
    """Virtual environment of the embedded Triton"""
    model_engine: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    """What computes the models of the embedded Triton: the best that is there (auto), or this one and no other"""
    model_repository: Path = CHECKOUT / "model_repository"
    """Folder of the models that Triton serves"""
    hang_seconds: float = Field(default=30, ge=1)
    """A process that does not answer for that long, several times in a row, is killed and started again, seconds"""
    least_free_bytes: int = Field(default=1 << 30, ge=0)
    """Room that uploads and new batches leave on the disk for jobs that run, bytes; 0: no such bound"""
    encoder: EncoderChoice = "auto"
    """auto: graphics hardware encodes where it is seen to work; hardware: so, and warns where none does; software"""
    families: Path | None = None
    """Folder of the families that were imported (`chorus models import`); empty: `families` in the data folder"""
    library_path: str = Field(default="", validation_alias="LD_LIBRARY_PATH")
    """Where the embedded Triton finds a GPU's driver when it lies in no usual place"""
    xdg_data_home: Path = Field(default=Path("~/.local/share"), validation_alias="XDG_DATA_HOME")
    """Where `chorus/` holds the state"""
    xdg_state_home: Path = Field(default=Path("~/.local/state"), validation_alias="XDG_STATE_HOME")
    """Where `chorus/` holds the log"""
    xdg_cache_home: Path = Field(default=Path("~/.cache"), validation_alias="XDG_CACHE_HOME")
    """Where `chorus/` holds temporary files"""

    @property
    def folders(self) -> Folders:
        """Absolute paths; nothing is created."""
        if self.home is not None:
            home = _absolute(self.home)
            return Folders(home / "data", home / "logs", home / "scratch", home / "run")
        cache = _absolute(self.xdg_cache_home) / "chorus"
        return Folders(
            _absolute(self.xdg_data_home) / "chorus",
            _absolute(self.xdg_state_home) / "chorus",
            cache / "scratch",
            cache / "run",
        )

    @property
    def users_file(self) -> Path:
        """Where `chorus user` writes; with users in it the page demands a login."""
        return _absolute(self.users) if self.users is not None else self.folders.data / "users"

    @property
    def own_database_url(self) -> str:
        """The database of this machine's stack."""
        return self.database_url or f"sqlite:///{self.folders.data / 'chorus.db'}"

    @property
    def has_users(self) -> bool:
        """True when somebody has been given a login, or is meant to."""
        return self.users is not None or (self.users_file.exists() and self.users_file.stat().st_size > 0)

    @property
    def family_folder(self) -> Path:
        """Where `chorus models import` writes: a second model repository of Triton."""
        return _absolute(self.families) if self.families is not None else self.folders.data / "families"

    @property
    def store(self) -> str:
        """URL of the store."""
        return self.store_url or (self.folders.data / "artifacts").as_uri()

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models in the model repository."""
        return tuple(sorted(path.parent.name for path in self.model_repository.glob("*/config.pbtxt")))


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process with `changes`, for a process started by it."""
    return {**os.environ, **changes}  # noqa: TID251


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()
