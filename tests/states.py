"""The two kinds of state that an installation can have, both real: SQLite with a folder, PostgreSQL with a bucket."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cached_property

from tests.real_servers import Bucket, Postgres, running_postgres, running_s3

NewState = Callable[[], Mapping[str, str]]
"""Makes the settings that give a stack a state of its own"""


class Servers:
    """The real servers of this session, started when the first test needs them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    @cached_property
    def postgres(self) -> Postgres:
        """A PostgreSQL."""
        return self._stack.enter_context(running_postgres())

    @cached_property
    def bucket(self) -> Bucket:
        """A bucket, which this process and those that it starts find by their environment."""
        found = self._stack.enter_context(running_s3())
        os.environ.update(found.environment)
        return found

    def new_state(self) -> Mapping[str, str]:
        """A fresh database, and a fresh place in the bucket."""
        return {"database_url": self.postgres.new_database(), "store_url": f"{self.bucket.url}/{uuid.uuid4().hex}"}
