"""What the settings of a project may reach: the folders of its files, and the hosts it talks to.

Settings may come from somebody else. So the paths in them stay in the project folder and the
folders that ``[security]`` names; and whoever runs churnkit may set narrower bounds in the
environment, which no file widens.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from churnkit.errors import ConfigError

FOLDERS, HOSTS = "CHURNKIT_ALLOW_FOLDERS", "CHURNKIT_ALLOW_HOSTS"
"""Variables of the environment: folders separated as in ``PATH``, and hosts by commas."""


@dataclass(frozen=True)
class Reach:
    """Folders, all resolved, and patterns of hosts; ``None`` is any host.

    Attributes
    ----------
    folders
        The project folder and those that the settings name.
    hosts
        What `require_host` takes: each as ``db.shop.example``, with a port as
        ``db.shop.example:5432``, or ``*.shop.example`` for all below it.
    bounds
        Like hosts, of whoever runs churnkit; both must take a host.
    """

    folders: tuple[Path, ...]
    hosts: tuple[str, ...] | None = None
    bounds: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls, project: Path, folders: Iterable[str] = (), hosts: Sequence[str] | None = None
    ) -> Reach:
        """The reach of a project folder whose settings name these.

        Raises
        ------
        ConfigError
            If a folder is not within the bounds of the environment.
        """
        named = {name: _target(project / name, "[security] folders") for name in folders}
        bounds = os.environ.get(FOLDERS)
        if bounds is not None:
            within = [Path(f).resolve() for f in bounds.split(os.pathsep) if f]
            for name, folder in named.items():
                if not _is_below(folder, within):
                    raise ConfigError(
                        f"[security] names the folder {name!r}, which {FOLDERS} does not allow",
                        "Take it out, or have whoever runs churnkit allow it there.",
                    )
        told = os.environ.get(HOSTS)
        limits = None if told is None else tuple(h.strip() for h in told.split(",") if h.strip())
        return cls(
            (project.resolve(), *named.values()), None if hosts is None else tuple(hosts), limits
        )

    def require_path(self, path: Path, named: str) -> None:
        """Refuse a path that leads out of the folders, links in it followed.

        Parameters
        ----------
        path
            A file or folder, which need not be there.
        named
            How the message calls it.

        Raises
        ------
        ConfigError
            If it does, or no file can have this name.
        """
        target = _target(path, named)
        if _is_below(target, self.folders):
            return
        leads = "" if str(target) == str(path) else f", which leads to {target}"
        raise ConfigError(
            f"{named}: {path}{leads}: that is outside the project folder",
            f'Move it there, or allow its folder: [security] folders = ["{target.parent}"].',
        )

    def require_host(self, host: str, named: str) -> None:
        """Refuse a host that is not among those allowed.

        Parameters
        ----------
        host
            With its port if the address tells one.
        named
            How the message calls the address.

        Raises
        ------
        ConfigError
            If it is not.
        """
        for allowed, where in ((self.hosts, "[security] hosts"), (self.bounds, HOSTS)):
            if allowed is not None and not any(_takes(one, host) for one in allowed):
                raise ConfigError(
                    f"{named}: the host {host or '(none)'!r} is not among {where}",
                    "Take another, or add it there if you trust it.",
                )

    @property
    def bounds_hosts(self) -> bool:
        """Whether only some hosts may be reached."""
        return self.hosts is not None or self.bounds is not None


def _target(path: Path, named: str) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, or links in a circle
        raise ConfigError(f"{named}: {str(path)!r} is no path ({error})", "Mend it.") from error


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _takes(allowed: str, host: str) -> bool:
    """Whether an entry of a list takes a host; one without a port takes any port."""
    allowed, host = allowed.lower().rstrip("."), host.lower().rstrip(".")
    bare = host if host.endswith("]") else host.rpartition(":")[0] or host
    below = allowed[1:] if allowed.startswith("*.") else None
    return any(
        (one.endswith(below) and len(one) > len(below)) if below else one == allowed
        for one in (host, bare)
    )
