"""Sessions as the doors see them: who shows a key, and what is open for whom, so that it ends with the session."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from services.acting import Role
from services.errors import ChorusError
from services.gateway.access.accounts import Accounts
from services.gateway.access.foreign import EndedLogin, Identity, ProviderRules, foreign_proof, foreign_role
from services.gateway.operations.session_rows import Session, SessionRows, token_role
from services.gateway.operations.token_rows import hash_key
from services.threaded import call_in_threads

_log = logging.getLogger(__name__)

# How long a look at a row is good for; ended elsewhere, a session is so here after that time.
_LOOK_SECONDS: Final = 1.0
_THREADS: Final = 4
# A database that does not answer ends nobody's page at once, but after that time nobody is sure any more.
_PATIENCE_SECONDS: Final = 30.0

End = Callable[[], None]


class Sessions:
    """The sessions of an installation, whoever opened them; safe to share by threads and event loops."""

    def __init__(
        self, rows: SessionRows, accounts: Accounts | None, token: str, foreign: ProviderRules | None = None
    ) -> None:
        """`foreign`: by which rules people come in who have no password here."""
        self._foreign = None if foreign is None else foreign.fingerprint
        self._rows = rows
        self._accounts = accounts
        self._token_proof = hashlib.sha256(token.encode()).hexdigest()[:16] if token else None
        # Threads of its own: no upload and no query keeps a person waiting at the entrance.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sessions")
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, Session | None]] = {}
        self._open: defaultdict[str, list[End]] = defaultdict(list)
        self._answered = time.monotonic()

    @property
    def seconds(self) -> int:
        """How long one may last."""
        return self._rows.seconds

    def open(self, name: str, address: str) -> str:
        """The key of a new session; `name` is empty for whoever showed the token."""
        return self._rows.add(name, self._proof(name) or "", address)

    def open_foreign(self, identity: Identity, address: str) -> str:
        """The same for somebody who logged in at the provider; with other rules than today's it is over."""
        proof = foreign_proof(self._foreign or "", identity.role)
        return self._rows.add(identity.name, proof, address, subject=identity.subject, sid=identity.sid)

    def role(self, session: Session) -> Role:
        """What somebody may do; the least there is for a user who was taken out this very moment."""
        if (of_token := token_role(session.proof)) is not None:
            return of_token
        if (foreign := foreign_role(session.proof, self._foreign)) is not None:
            return foreign
        if session.name == "":
            return Role.ADMIN
        role = None if self._accounts is None else self._accounts.role(session.name)
        return Role.VIEWER if role is None else role

    def is_known(self, name: str, address: str) -> bool:
        """True when somebody has logged in as `name` from that address lately."""
        return self._rows.is_known(name, address)

    async def find(self, key: str) -> Session | None:
        """The session with that key as it was at most a second ago; UNAVAILABLE when the database is silent."""
        if not key:
            return None
        key_hash, now = hash_key(key), time.monotonic()
        with self._lock:
            looked, session = self._seen.get(key_hash, (-_LOOK_SECONDS, None))
        if now - looked >= _LOOK_SECONDS:
            session = await call_in_threads(self._threads, self._look_at, key_hash)
        # Asked each time, so that a password that was changed here counts at once.
        return session if session is not None and self._is_proven(session) else None

    def end(self, key: str) -> None:
        """Log out, and end what is open here; the other processes notice within seconds."""
        if key:
            self._rows.end(hash_key(key))
            self._finish(hash_key(key))

    def end_foreign(self, ended: EndedLogin) -> Sequence[str]:
        """End the logins that somebody has ended at the provider, as `end` does; returns whose they were.

        CONFLICT when that word of the provider has been obeyed before.
        """
        gone = self._rows.end_foreign(ended.subject, ended.sid, ended.token_id, round(ended.until * 1000))
        for session in gone:
            self._finish(session.key_hash)
        return sorted({session.name for session in gone})

    @contextmanager
    def ending_with(self, session: str, end: End) -> Iterator[None]:
        """`end` is called, from another thread, when the session of that id is over during the block."""
        if not session:
            yield
            return
        with self._lock:
            self._open[session].append(end)
        try:
            yield
        finally:
            with self._lock:
                self._open[session].remove(end)
                if not self._open[session]:
                    del self._open[session]

    def look(self) -> None:
        """End what is open for sessions that are over; to be called about once a second."""
        with self._lock:
            used = [*self._open]
        if not used:
            self._answered = time.monotonic()
            return
        try:
            found = self._rows.find(used)
            self._answered = time.monotonic()
        except ChorusError as error:
            if time.monotonic() - self._answered < _PATIENCE_SECONDS:
                return
            _log.warning("open pages and streams are ended, nobody can say whether their logins still hold: %s", error)
            found = {}
        for key_hash in used:
            session = found.get(key_hash)
            if session is None or not self._is_proven(session):
                self._finish(key_hash)

    def _look_at(self, key_hash: str) -> Session | None:
        session = self._rows.find([key_hash]).get(key_hash)
        now = time.monotonic()
        with self._lock:
            self._seen = {key: each for key, each in self._seen.items() if now - each[0] < _LOOK_SECONDS}
            self._seen[key_hash] = (now, session)
        return session

    def _finish(self, key_hash: str) -> None:
        with self._lock:
            self._seen.pop(key_hash, None)
            ends = [*self._open.get(key_hash, ())]
        for end in ends:
            end()

    def _is_proven(self, session: Session) -> bool:
        if token_role(session.proof) is not None or foreign_role(session.proof, self._foreign) is not None:
            return True
        proof = self._proof(session.name)
        return proof is not None and hmac.compare_digest(proof, session.proof)

    def _proof(self, name: str) -> str | None:
        if name == "":
            return self._token_proof
        return None if self._accounts is None else self._accounts.fingerprint(name)


class SessionWatch:
    """Looks once a second, in the background, whether what is open may stay so."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="session-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End; call it once."""
        self._stop.set()
        self._thread.join(_LOOK_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                self._sessions.look()
            except Exception:
                # Whatever it is, logins must still end.
                _log.exception("looking after sessions failed")


def ending_task(loop: asyncio.AbstractEventLoop, end: Callable[[], object]) -> End:
    """`end`, to be called on that loop; nothing when it has ended before."""

    def call() -> None:
        try:
            loop.call_soon_threadsafe(end)
        except RuntimeError:
            _log.debug("a session ended after its event loop")

    return call
