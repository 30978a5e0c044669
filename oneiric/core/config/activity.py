"""The settings of the pauses and drains that replicas share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from oneiric.core.config.logging import PathText  # noqa: TC001 - pydantic reads it at run time
from oneiric.core.config.section import Section

_SCHEMES = ("postgresql://", "postgres://")

SchemaName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,39}$")]
"""The name of a schema of PostgreSQL that needs no quotes."""


def _checked_url(text: str) -> str:
    if not text.startswith(_SCHEMES):
        raise ValueError("must begin with postgresql://, such as postgresql://user@host:5432/database")
    return text


class ActivityConfig(Section):
    """Where pauses and drains are kept that all replicas of a service share; times in seconds.

    Attributes:
        url: The database, such as ``postgresql://user@host:5432/database``, with any parameter of libpq; it may carry
            a password. None: they are kept in a file of this machine, see ``runtime_paths.domain_activity_path``.
        password_file: A file that holds the password, read anew for each connection; None: the one of the URL, or
            where libpq finds it.
        database_schema: The schema that holds the tables; services that share a database need one each.
        migrate_at_start: Whether a start makes the tables or brings them up to date, as
            ``oneiric settings migrate`` does.
        when_unreachable: What becomes of work while the database cannot be reached: ``keep`` has decide what was last
            known, ``refuse`` holds all of it back.
        timeout: For any answer of the database.
        poll_interval: After which the database is asked for changes where it notified of none.
        pool_size: Connections that changes are made with, at most; a further one listens.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_checked_url)] | None = Field(default=None, repr=False)
    password_file: PathText | None = None
    database_schema: SchemaName = "oneiric"
    migrate_at_start: bool = False
    when_unreachable: Literal["keep", "refuse"] = "keep"
    timeout: float = Field(default=5.0, ge=0.1, le=60)
    poll_interval: float = Field(default=5.0, ge=0.1, le=3600)
    pool_size: int = Field(default=4, ge=1, le=100)
