"""Which directory may hold a book."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.data_dir import check_directory, create_data_dir, filesystem_of
from api.errors import UnsafeDataDirError

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /srv/nfs rw - nfs4 server:/export rw
31 22 0:26 / /srv/with\\040space rw - cifs //server/share rw
32 30 8:2 / /srv/nfs/local rw - xfs /dev/sdb1 rw
33 22 0:27 / /media rw - ext4 /dev/sdc rw
34 22 0:28 / /media rw - fuse.sshfs host: rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/srv/book", "ext4"),
        ("/srv/nfs/book", "nfs4"),
        ("/srv/nfsbook", "ext4"),
        ("/srv/nfs/local/book", "xfs"),
        ("/srv/with space/book", "cifs"),
        ("/media/book", "fuse.sshfs"),
    ],
)
def test_filesystem_is_that_of_the_deepest_mount(path: str, kind: str) -> None:
    """The longest mount point above a path decides, the later of two equal ones."""
    assert kind == filesystem_of(Path(path), MOUNTS)


@pytest.mark.parametrize("kind", ["nfs", "cifs", "fuse.sshfs"])
def test_directory_on_a_network_file_system_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Locks over a network can't be trusted."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr("api.data_dir.filesystem_of", lambda _: kind)

    with pytest.raises(UnsafeDataDirError) as refused:
        check_directory(tmp_path)

    assert kind in str(refused.value)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o777])
def test_directory_wider_than_0700_is_refused_with_its_mode(tmp_path: Path, mode: int) -> None:
    """It is named and left as it is."""
    tmp_path.chmod(mode)

    with pytest.raises(UnsafeDataDirError) as refused:
        check_directory(tmp_path)

    assert f"{mode:04o}" in str(refused.value)
    assert mode == tmp_path.stat().st_mode & 0o777


def test_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """Nothing in the directory leads out of it."""
    tmp_path.chmod(0o700)
    (tmp_path / "rkud.db").symlink_to("/etc/hostname")

    with pytest.raises(UnsafeDataDirError, match="link"):
        check_directory(tmp_path)


def test_directory_is_made_0700_whatever_the_umask(tmp_path: Path) -> None:
    """A new directory is its owner's alone."""
    create_data_dir(tmp_path / "a" / "b")

    assert 0o700 == (tmp_path / "a" / "b").stat().st_mode & 0o777
