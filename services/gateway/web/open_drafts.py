"""The drafts that open tabs of this process show: two tabs of one visitor share theirs."""

from __future__ import annotations

from functools import partial
from weakref import WeakValueDictionary

from services.gateway.operations.drafts import Drafts
from services.gateway.web.draft import Draft, DraftKind


class OpenDrafts:
    """Gives every page that is opened its drafts, as they are stored just now."""

    def __init__(self, drafts: Drafts) -> None:
        self._drafts = drafts
        self._open: WeakValueDictionary[tuple[str, DraftKind], Draft] = WeakValueDictionary()

    async def open(self, owner: str, kind: DraftKind) -> Draft:
        """The draft of a visitor."""
        chosen = await self._drafts.load(owner, kind)
        draft = self._open.get((owner, kind))
        if draft is None:
            draft = self._open[owner, kind] = Draft(chosen, kind, partial(self._drafts.keep, owner, kind))
        else:
            draft.renew(chosen)
        return draft
