"""Layouts of bank statements by name or file: those that ship, and the operator's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bank_adapters.errors import InvalidProfileError, UnknownProfileError
from bank_adapters.statements import Profile, all_profiles, is_shipped, parse_profile

__all__ = ["FOLDER", "own_profiles", "profile_in", "profile_named", "refuse_shipped_name"]

#: Below the data directory.
FOLDER: Final = "profiles"


def profile_in(data: bytes) -> Profile:
    """
    An operator's layout from the bytes of its file.

    Raises InvalidProfileError, also for the name of a layout that ships: which of the two has read a
    statement must be seen from its name.
    """
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InvalidProfileError("(unread)", "not UTF-8") from None
    try:
        profile = parse_profile(text)
    except InvalidProfileError as refused:
        if "# DECIDE:" not in text:
            raise
        reason = f"{refused.reason}; the file still asks, behind DECIDE"
        raise InvalidProfileError(refused.name, reason) from None
    if not is_shipped(profile):
        refuse_shipped_name(profile.name)
    return profile


def refuse_shipped_name(name: str) -> None:
    """Raises InvalidProfileError for the name of a layout that ships."""
    if any(each.name == name for each in all_profiles()):
        raise InvalidProfileError(name, "a layout that ships has this name; give yours another")


def profile_named(name: str, data_dir: Path) -> Profile:
    """
    The layout of that name: one that ships, else `profiles/NAME.toml` in *data_dir*.

    Raises UnknownProfileError, InvalidProfileError.
    """
    shipped = {profile.name: profile for profile in all_profiles()}
    if name in shipped:
        return shipped[name]
    files = _files(data_dir)
    if name not in files:  # looked up, never joined to a path
        raise UnknownProfileError(name, (*shipped, *files))
    return _of_file(files[name])


def own_profiles(data_dir: Path) -> list[Profile]:
    """The operator's layouts by name. Raises InvalidProfileError."""
    return [_of_file(path) for _, path in sorted(_files(data_dir).items())]


def _files(data_dir: Path) -> dict[str, Path]:
    return {path.stem: path for path in (data_dir / FOLDER).glob("*.toml")}


def _of_file(path: Path) -> Profile:
    profile = profile_in(path.read_bytes())
    if profile.name != path.stem:
        raise InvalidProfileError(profile.name, f"its file is {path.name}: both names must agree")
    return profile
