"""A part that hangs is told on the page, killed by the supervisor, and told no more when it is back."""

from __future__ import annotations

import signal

import pytest
from playwright.sync_api import expect

from tests.page_browser import Visitors
from tests.running_stack import RunningStack


@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_a_stopped_preprocess_is_told_and_comes_back_by_itself(page_stack: RunningStack, visitors: Visitors) -> None:
    page = visitors.open("/")
    line = page.locator(".outage")
    expect(line).to_be_hidden()
    (stopped,) = page_stack.processes("-m services.preprocess")
    stopped.send_signal(signal.SIGSTOP)
    expect(line).to_contain_text("looking into videos (preprocess)", timeout=40_000)
    expect(line).to_be_hidden(timeout=120_000)
    assert not stopped.is_running()
    assert "has not answered for 30 s and was killed" in page_stack.log()
