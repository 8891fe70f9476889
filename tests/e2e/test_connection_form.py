"""A person makes a connection in Airflow's form, and presses Test."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from demo.airflow_stack import AirflowStack
from m3ter_sandbox.testing import SandboxServer
from tests.support.browser import AirflowPages

pytestmark = pytest.mark.slow

CONN_ID = "m3ter_by_hand"


def extra(dialog: Locator, name: str) -> Locator:
    """Return the input of an extra field; Airflow's labels do not lead to all of them."""
    return dialog.locator(f"[name=element_{name}]")


def press_test(page: Page, expected_title: str) -> str:
    """Press the button "Test" of the connection's row; return what the new message says."""
    page.reload()
    row = page.get_by_role("row").filter(has_text=CONN_ID)
    row.get_by_role("button", name="Test Connection").click()
    toast = page.locator("[data-scope=toast][data-part=root]").filter(has_text="Test Connection")
    expect(toast.locator("[data-part=title]")).to_have_text(expected_title, timeout=30_000)
    return toast.locator("[data-part=description]").inner_text()


def test_the_form_and_its_test(pages: AirflowPages, airflow: AirflowStack, m3ter_sandbox: SandboxServer) -> None:
    m3ter_sandbox.switches(requests_per_second=0)
    url = urlsplit(m3ter_sandbox.url)
    page = pages.open("/connections")
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Connection ID").fill(CONN_ID)
    dialog.get_by_role("combobox").click()
    page.keyboard.type("m3ter")
    page.keyboard.press("Enter")

    # What is said, what is hidden, and that nothing of the secret is seen.
    expect(dialog.get_by_label("Schema")).to_have_count(0)
    host, port = dialog.get_by_label("API base URL"), dialog.get_by_label("Port")
    expect(host).to_have_attribute("placeholder", "https://api.m3ter.com")
    pages.picture("connection-form-empty")
    host.fill(f"{url.scheme}://{url.hostname}")
    port.fill(str(url.port))
    dialog.get_by_label("Access key id").fill(m3ter_sandbox.access_key_id)
    secret = dialog.get_by_label("API secret")
    expect(secret).to_have_attribute("type", "password")
    secret.fill(m3ter_sandbox.api_secret)
    pages.picture("connection-form-standard-fields")

    dialog.get_by_role("button", name="Extra Fields", exact=True).click()
    for name, value, least, most in (
        ("requests_per_second", "20", "0.1", "1000"),
        ("timeout_seconds", "30", "0.1", "600"),
    ):
        expect(extra(dialog, name)).to_have_value(value)
        expect(extra(dialog, name)).to_have_attribute("aria-valuemin", least)
        expect(extra(dialog, name)).to_have_attribute("aria-valuemax", most)
    expect(extra(dialog, "allow_invitations")).not_to_be_checked()
    expect(extra(dialog, "allow_http")).not_to_be_checked()
    save = dialog.get_by_role("button", name="Save")
    expect(save).to_be_disabled()  # the organisation is required
    extra(dialog, "org_id").fill(m3ter_sandbox.org_id)
    extra(dialog, "allowed_domains").fill("example.com, example.org")
    expect(save).to_be_enabled()
    pages.picture("connection-form-extra-fields", of=dialog)
    save.click()
    expect(page.get_by_role("row").filter(has_text=CONN_ID)).to_be_visible()

    # Not allowed to send by setting: reading alone is tested.
    assert "It sends no invitations, because its extra allow_invitations is off" in press_test(
        page, "Test Connection Successful"
    )
    pages.picture("connection-test-not-allowed-to-send")
    assert {one["method"] for one in m3ter_sandbox.requests() if one["path"] != "/oauth/token"} == {"GET"}

    # Allowed in the form; nothing else of the connection is lost by that.
    page.get_by_role("row").filter(has_text=CONN_ID).get_by_role("button", name="Edit Connection").click()
    dialog.get_by_role("button", name="Extra Fields", exact=True).click()
    dialog.locator("label", has=page.locator("[name=element_allow_invitations]")).click()
    expect(extra(dialog, "allow_invitations")).to_be_checked()
    pages.picture("connection-form-allowed-to-send", of=dialog)
    save.click()
    expect(dialog).to_have_count(0)
    assert "It may send invitations to example.com and example.org; none was sent now." in press_test(
        page, "Test Connection Successful"
    )
    pages.picture("connection-test-allowed-to-send")

    # A right that is missing, and credentials that are refused.
    m3ter_sandbox.switches(may_invite=False)
    text = press_test(page, "Test Connection Failed")
    assert "m3ter does not let the service user create invitations (403)" in text
    pages.picture("connection-test-no-right-to-invite")
    airflow.api.request("PATCH", f"/connections/{CONN_ID}?update_mask=password", json=connection(password="wrong"))
    assert "m3ter refused the access key id or the API secret (401)" in press_test(page, "Test Connection Failed")
    pages.picture("connection-test-wrong-secret")

    stored = airflow.api.request("GET", f"/connections/{CONN_ID}")
    assert json.loads(stored["extra"]) == {
        "org_id": m3ter_sandbox.org_id,
        "allow_invitations": True,
        "allowed_domains": "example.com, example.org",
        "requests_per_second": 20,
        "timeout_seconds": 30,
        "allow_http": False,
    }
    assert stored["password"] == "***"
    assert m3ter_sandbox.emails() == {}
    assert m3ter_sandbox.invitations() == []


def connection(**changes: object) -> dict[str, object]:
    return {"connection_id": CONN_ID, "conn_type": "m3ter", **changes}
