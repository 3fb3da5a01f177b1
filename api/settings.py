"""
Settings of a process, all from the environment; `rkud settings` lists them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

__all__ = ["Settings", "listed"]

_MIB: Final = 1024 * 1024


class Settings(BaseSettings):
    """What the environment says, `RKUD_` before each name. Unknown variables are left alone."""

    model_config = SettingsConfigDict(
        env_prefix="RKUD_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(
        Path("rkud-data"), description="Directory of the book: rkud.db, keys, the signer's state"
    )
    database_url: SecretStr | None = Field(
        None, description="Database of the application's role; default: rkud.db in the directory"
    )
    owner_url: SecretStr | None = Field(
        None, description="Database as the schema's owner, for rkud db upgrade alone"
    )
    key_dir: Path | None = Field(
        None, description="Directory of log keys and signer state; default: keys in RKUD_DATA_DIR"
    )
    banks_dir: Path | None = Field(
        None,
        description="Directory of banks.toml, its keys, files.toml and the bank's own rails.toml,"
        " banks.csv, holidays.txt; default: banks in RKUD_DATA_DIR",
    )
    government: str = Field("", description="Government (region code) that commands act in")
    body_max_bytes: int = Field(
        10 * _MIB, ge=1024, description="Longest body of a request, in bytes"
    )
    batch_max: int = Field(
        256, ge=1, le=10_000, description="Most acts that one transaction writes"
    )
    queue_max: int = Field(
        4096, ge=1, description="Acts that may wait before the server answers 503 queue_full"
    )
    pool_size: int = Field(8, ge=2, description="Database connections for reading")
    token_cache_seconds: float = Field(
        5.0, ge=0, le=5, description="How long a token that was looked up is believed"
    )
    checkpoint_seconds: float = Field(
        0.5, gt=0, le=1, description="Longest pause between an act and its checkpoint"
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="Least level that is logged"
    )
    access_log: bool = Field(True, description="Whether each request is logged")

    def url(self) -> str:
        """URL of the database, with its password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.absolute() / 'rkud.db'}"

    def is_sqlite(self) -> bool:
        """Whether the book is a SQLite file (otherwise PostgreSQL)."""
        return self.url().startswith("sqlite")

    def banks(self) -> Path:
        """Directory of the operator's files on banks."""
        return self.banks_dir if self.banks_dir is not None else self.data_dir / "banks"

    def keys(self) -> Path:
        """Directory of log keys and signer state."""
        return self.key_dir if self.key_dir is not None else self.data_dir / "keys"


def listed(settings: Settings) -> list[tuple[str, str, str]]:
    """Each variable with its value, secrets masked, and its meaning."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            shown = _masked(value.get_secret_value())
        else:
            shown = "" if value is None else str(value)
        rows.append((f"RKUD_{name.upper()}", shown, field.description or ""))
    return rows


def _masked(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "***"
