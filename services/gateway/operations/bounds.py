"""What a request may say, value by value: the one place for all doors. REST takes these types, gRPC lays its fields to
them, and whoever breaks one is told which.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from services.library.limits import ID_LENGTH, LARGEST_OFFSET, MOST_RETENTION_DAYS, NAME_LENGTH, PAGE_ITEMS

LOG_LINES: Final = 10_000
"""Lines of the log in one answer"""
LOGOUT_TOKEN_LENGTH: Final = 16_000
"""Characters of what a provider sends when somebody has logged out there"""
_FILE_NAME_LENGTH: Final = 1000
_OWNER_LENGTH: Final = 100
_PASSWORD_LENGTH: Final = 1000
_ACTION_LENGTH: Final = 50
_FAMILY_NAME_LENGTH: Final = 100
_LARGEST_NUMBER: Final = (1 << 63) - 1
# Beyond them not every moment has a number of seconds, or a number of seconds a moment, in every time zone.
_YEARS: Final = range(1970, 9999)


def _check_text(text: str) -> str:
    """JSON can spell halves of letters, which no file, no database and no answer can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is no text in Unicode: it holds half a letter") from None
    return text


def _check_moment(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError(f"must lie in the years {_YEARS[0]} to {_YEARS[-1]}")
    return moment


Text = Annotated[str, AfterValidator(_check_text)]
Id = Annotated[str, StringConstraints(max_length=ID_LENGTH, pattern=r"^[0-9A-Za-z._-]*$")]
NamePart = Annotated[str, StringConstraints(max_length=NAME_LENGTH), AfterValidator(_check_text)]
FileName = Annotated[str, StringConstraints(max_length=_FILE_NAME_LENGTH), AfterValidator(_check_text)]
OwnerName = Annotated[str, StringConstraints(max_length=_OWNER_LENGTH), AfterValidator(_check_text)]
LoginName = Annotated[str, StringConstraints(max_length=_OWNER_LENGTH), AfterValidator(_check_text)]
Password = Annotated[str, StringConstraints(max_length=_PASSWORD_LENGTH), AfterValidator(_check_text)]
FamilyName = Annotated[str, StringConstraints(max_length=_FAMILY_NAME_LENGTH), AfterValidator(_check_text)]
"""What it may be made of has an error of its own"""
LicenceText = Annotated[str, StringConstraints(max_length=NAME_LENGTH), AfterValidator(_check_text)]
MediaKind = Literal["video", "audio", "still"]
ActionName = Annotated[str, StringConstraints(max_length=_ACTION_LENGTH, pattern=r"^[a-z.-]*$")]
RowId = Annotated[int, Field(ge=0, le=_LARGEST_NUMBER)]
Limit = Annotated[int, Field(ge=1, le=PAGE_ITEMS)]
Offset = Annotated[int, Field(ge=0, le=LARGEST_OFFSET)]
Days = Annotated[float, Field(ge=0, le=MOST_RETENTION_DAYS, allow_inf_nan=False)]
LogLines = Annotated[int, Field(ge=1, le=LOG_LINES)]
Bytes = Annotated[int, Field(ge=0, le=_LARGEST_NUMBER)]
"""A size, or a place in a file"""
Moment = Annotated[datetime, AfterValidator(_check_moment)]
Milliseconds = Annotated[int, Field(ge=0, lt=253_370_764_800_000)]
"""A moment as a number since 1970, UTC: in the same years"""
