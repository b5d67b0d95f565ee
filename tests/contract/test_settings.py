"""Every setting is documented where operators look."""

from __future__ import annotations

import pytest

from scripts import settings_table


def test_the_page_of_settings_is_what_the_code_gives() -> None:
    assert settings_table.PAGE.read_text() == settings_table.page(), "run `make settings`"


@pytest.mark.parametrize("reader", settings_table.READERS)
def test_every_setting_says_what_it_means(reader: str) -> None:
    fields = settings_table.READERS[reader].model_fields
    assert [name for name, field in fields.items() if not field.description] == []
