"""Addresses of SQL stores: what a URL says, where its secrets come from, what may be shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

from churnkit.errors import ConfigError

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+_]*)://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<host>[^/?#@]*)(?:/(?P<database>[^?#]*))?(?:\?(?P<options>[^#]*))?"
)
_HOST = re.compile(r"(\[[^]]*\]|[^:\[\]]*)(:([0-9]{0,5}))?")
_NAME = re.compile(r"\$\{(\w+)\}")
SECRET_OPTION = re.compile(
    r"pass(?!file)|token|secret|private_key(?!_path|_file)|credentials_base64"
)
"""Found in the name, in lower case, of every option that holds a secret."""
_FORM = "Write it as dialect://user@host/database; a password goes in as ${NAME}."


@dataclass(frozen=True, repr=False)
class Address:
    """The parts of a store's URL, with ``${NAME}`` as it was written unless `filled`.

    Attributes
    ----------
    scheme
        Dialect and driver, such as ``postgresql`` or ``mysql+pymysql``.
    user, password, host, database
        As plain text, percent-encoding undone; the host may carry a port.
    options
        What stands behind the ``?``.
    secrets
        Values that no message may hold.
    """

    scheme: str
    user: str = ""
    password: str = ""
    host: str = ""
    database: str = ""
    options: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take a URL apart.

        Raises
        ------
        ConfigError
            If it is no URL of a store. The message does not repeat it: it may hold a password.
        """
        if _NAME.fullmatch(url):
            return cls(scheme=url)
        match = _URL.fullmatch(url)
        if match is None or not _is_sound(match):
            raise ConfigError(
                "the url of a store cannot be taken apart (it is not repeated here, since it may "
                "hold a password)",
                f"{_FORM} Signs such as @ : / # ? in it are percent-encoded.",
            )
        parts = {part: text or "" for part, text in match.groupdict().items()}
        return cls(
            scheme=parts["scheme"],
            user=unquote(parts["user"]),
            password=unquote(parts["password"]),
            host=unquote(parts["host"]),
            database=_database(parts["scheme"], parts["database"]),
            options=tuple(parse_qsl(parts["options"], keep_blank_values=True)),
        )

    def __str__(self) -> str:
        """The address without password and options."""
        if self.is_one_name:
            return self.scheme
        user = f"{self.user}@" if self.user else ""
        database = f"/{self.database}" if self.database else ""
        return f"{self.scheme}://{user}{self.host}{database}"

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    @property
    def is_one_name(self) -> bool:
        """Whether one ``${NAME}`` stands for the whole address."""
        return bool(_NAME.fullmatch(self.scheme))

    @property
    def dialect(self) -> str:
        """The scheme without its driver; ``postgres`` is ``postgresql``."""
        dialect = self.scheme.partition("+")[0]
        return "postgresql" if dialect == "postgres" else dialect

    @property
    def is_file(self) -> bool:
        """Whether it names a database in a file of this machine."""
        return self.dialect == "sqlite"

    @property
    def literal_secrets(self) -> tuple[str, ...]:
        """Passwords that stand in the address itself rather than behind a ``${NAME}``."""
        hidden = (self.password, *(v for k, v in self.options if SECRET_OPTION.search(k.lower())))
        return tuple(told for told in hidden if _NAME.sub("", told))

    def filled(self) -> Address:
        """The address with every ``${NAME}`` replaced by its secret.

        Raises
        ------
        ConfigError
            If the environment holds neither NAME nor NAME_FILE.
        """
        if self.is_one_name:
            return self._looked_up()
        told: list[str] = []

        def fill(text: str) -> str:
            values = {name: secret(name) for name in _NAME.findall(text)}
            told.extend(values.values())
            return _NAME.sub(lambda match: values[match[1]], text)

        plain = Address(
            scheme=self.scheme,
            user=fill(self.user),
            password=fill(self.password),
            host=fill(self.host),
            database=fill(self.database),
            options=tuple((key, fill(value)) for key, value in self.options),
        )
        if not _are_hosts(plain.host):
            raise ConfigError(f"the port in the url of {self} is not a number", "Mend the url.")
        return _with_secrets(plain, [*told, *plain.literal_secrets])

    def _looked_up(self) -> Address:
        url = secret(self.scheme[2:-1])
        address = Address.parse(url)
        if address.is_one_name:
            raise ConfigError(f"{self} stands for another name", "Set it to the url of a store.")
        return _with_secrets(address.filled(), [url])

    @property
    def host_and_port(self) -> tuple[str, int | None]:
        """The one host, an IPv6 address without its brackets, and its port if there is one."""
        match = _HOST.fullmatch(self.host)
        host, port = (match[1], match[3]) if match else (self.host, "")
        return host.strip("[]"), int(port) if port else None

    def url(self, **defaults: str) -> str:
        """The URL for a driver, with options that hold unless the address sets them."""
        password = f":{quote(self.password, safe='')}" if self.password else ""
        user = f"{quote(self.user, safe='')}{password}@" if self.user or password else ""
        options = urlencode(defaults | dict(self.options), quote_via=quote)
        host, database = quote(self.host, safe=":,[]"), quote(self.database, safe="")
        return f"{self.dialect}://{user}{host}/{database}?{options}"

    def masked(self, text: str) -> str:
        """The text without any secret of the address."""
        secrets = (*self.secrets, os.environ.get("PGPASSWORD", ""))
        told = {form for value in secrets for form in (value, quote(value, safe=""))}
        for value in sorted(told - {""}, key=len, reverse=True):
            text = text.replace(value, "***")
        return text


def secret(name: str) -> str:
    """The environment variable NAME, or the content of the file that NAME_FILE names.

    Raises
    ------
    ConfigError
        If neither is there, or the file cannot be read.
    """
    file = os.environ.get(f"{name}_FILE")
    value = os.environ.get(name) or (file and _content(name, file))
    if value:
        return value
    raise ConfigError(
        f"the url of a store asks for ${{{name}}}, which is not set",
        f"Set the environment variable {name}, or {name}_FILE to a file that holds the value.",
    )


def holds_password(url: str) -> bool:
    """Whether a password or a token stands in an address of any kind, rather than a ``${NAME}``."""
    named = re.match(r"[^:/]+://[^/?#]*:([^/?#]*)@", url)
    options = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    hidden = [value for key, value in options if SECRET_OPTION.search(key.lower())]
    told = [*([named[1]] if named else []), *hidden]
    return any(_NAME.sub("", secret) for secret in told)


def require_no_password(url: str) -> None:
    """Refuse a URL that holds a password itself, as no configuration file should.

    Raises
    ------
    ConfigError
        If it does, or if it is no URL of a store.
    """
    address = Address.parse(url)
    if address.literal_secrets:
        raise ConfigError(
            f"the url of {address} holds a password",
            "Write ${NAME} in its place and set the environment variable NAME, or NAME_FILE to a "
            "file that holds it.",
        )


def rooted(url: str, folder: Path) -> str:
    """The URL with the relative path of a SQLite file taken from a folder; any other as it is.

    Examples
    --------
    >>> rooted("sqlite:///data/shop.db", Path("/srv"))
    'sqlite:////srv/data/shop.db'
    """
    address = Address.parse(url)
    if not address.is_file:
        return url
    return f"{address.scheme}:///{folder / address.database}"


def _with_secrets(address: Address, secrets: Iterable[str]) -> Address:
    return replace(address, secrets=(*address.secrets, *secrets))


def _is_sound(match: re.Match[str]) -> bool:
    """Whether no part of an unescaped password can have slipped into host or database."""
    if match["scheme"].startswith("sqlite"):
        return not match["host"]
    return _are_hosts(_NAME.sub("0", match["host"])) and "@" not in (match["database"] or "")


def _are_hosts(text: str) -> bool:
    return all(map(_HOST.fullmatch, text.split(",")))


def _database(scheme: str, text: str) -> str:
    return text if scheme.startswith("sqlite") else unquote(text)


def _content(name: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"{name}_FILE names {file!r}, which cannot be read: {reason}", "Check the file."
        ) from None
