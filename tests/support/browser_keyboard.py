"""A person who has a keyboard alone, and sees where they are at each step."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

#: So many presses of Tab are more than any screen needs.
_MOST = 400

#: Returns why a person would not see where the focus is, or nothing.
_UNSEEN = """
() => {
  const focused = document.activeElement;
  const name = focused.outerHTML.slice(0, 120);
  if (focused === document.body) return "the focus is nowhere";
  const dialog = document.querySelector("dialog[open]");
  if (dialog && !dialog.contains(focused)) return `behind the dialogue: ${name}`;
  if (focused.id === "main") return null; // begins a screen, and is not reached by Tab
  const style = getComputedStyle(focused);
  const width = parseFloat(style.outlineWidth);
  if (style.outlineStyle === "none" || width < 2) return `no ring: ${name}`;
  const rects = [...focused.getClientRects()];
  const room = width + parseFloat(style.outlineOffset);
  const whole = focused.getBoundingClientRect();
  const [ring] = [{
    left: whole.left - room, right: whole.right + room, top: whole.top - room, bottom: whole.bottom + room,
  }];
  if (whole.height < window.innerHeight && (whole.top < -1 || whole.bottom > window.innerHeight + 1)) {
    return `outside the window: ${name}`;
  }
  for (let around = focused.parentElement; around; around = around.parentElement) {
    const { overflowX, overflowY } = getComputedStyle(around);
    if (around === document.documentElement || (overflowX === "visible" && overflowY === "visible")) continue;
    const edge = around.getBoundingClientRect();
    const cut = [
      ring.left < edge.left - 1, ring.right > edge.right + 1, ring.top < edge.top - 1, ring.bottom > edge.bottom + 1,
    ].filter(Boolean).length;
    if (cut) return `its ring is cut off at ${cut} sides: ${name}`;
  }
  const covered = rects.every(({ left, top, width, height }) => {
    const above = document.elementFromPoint(left + width / 2, top + height / 2);
    return above && !focused.contains(above) && !above.contains(focused);
  });
  return covered ? `covered: ${name}` : null;
}
"""
#: Returns whether a target is still in the page, whether it has the focus, and why a person would not see that.
_REACHED = f"target => [target.isConnected, target === document.activeElement, ({_UNSEEN})()]"


class Keyboard:
    """
    What a person does with Tab, Enter, Space, the arrows and Escape.

    :param page: the product's page, alone.
    """

    def __init__(self, page: Page) -> None:
        self._page = page

    def assert_seen(self) -> None:
        """Check that the focus is somewhere, and that a person sees where."""
        why = self._page.evaluate(_UNSEEN)
        if why is not None:
            raise AssertionError(why)

    def go(self, target: Locator, *, back: bool = False) -> None:
        """Press Tab until a target has the focus, which must be seen at each step."""
        expect(target).to_be_visible()
        element = target.element_handle()  # found once: by its role, that takes longer than a press
        for presses in range(_MOST):
            stays, there, why = element.evaluate(_REACHED)
            if not stays:  # made anew meanwhile
                element = target.element_handle()
                there = element.evaluate("target => target === document.activeElement")
            if why is not None and presses:
                raise AssertionError(why)
            if there:
                return
            self._page.keyboard.press("Shift+Tab" if back else "Tab")
        raise AssertionError(f"Tab never reaches {target}")

    def press(self, key: str, target: Locator | None = None, *, back: bool = False) -> None:
        """Press a key, on a target to which Tab leads first."""
        if target is not None:
            self.go(target, back=back)
        self._page.keyboard.press(key)

    def write(self, text: str, target: Locator) -> None:
        """Write into a field."""
        self.go(target)
        self._page.keyboard.type(text)

    def choose(self, value: str, target: Locator) -> None:
        """Choose an option of a list by the arrow keys."""
        self.go(target)
        for _ in range(target.locator("option").count()):
            if target.input_value() == value:
                return
            self._page.keyboard.press("ArrowDown")
        expect(target).to_have_value(value)
