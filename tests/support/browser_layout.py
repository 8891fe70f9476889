"""Text that a person cannot read: cut off, broken within a word, beside what is in sight, or over other text."""

from __future__ import annotations

from playwright.sync_api import Page

#: Returns a line for each fault. What a box can be scrolled to is not cut off; of an open dialogue what lies behind it
#: does not count. Confirmations lie above the page until they are dismissed: only their words count. A choice has room
#: for the longest of its texts, or the width of its form. A table is never wider than its box: nobody looks for columns
#: that are out of sight. A word is broken only where it is longer than a column, or behind a hyphen before a letter.
_FAULTS = """
async () => {
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))); // tables follow the window
  const WORD = /(?<!\\S)(?:(?!-\\p{L})\\S){2,15}(?!\\S)/gu;
  const root = document.querySelector("dialog[open]") ?? document.body;
  const boxes = [];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const confirms = (element) => element.closest("#toasts");
  const clipped = (element) => element.closest(".unseen, .skip") ||
    (element.closest("thead") && getComputedStyle(element.closest("thead")).clipPath !== "none");
  const seen = (element, rect) => {
    let { left, right, top, bottom } = rect;
    for (let around = element; around !== root.parentElement; around = around.parentElement) {
      const style = getComputedStyle(around);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const edge = around.getBoundingClientRect();
      if (/auto|scroll/.test(style.overflowX + style.overflowY)) {
        if (right <= edge.left || left >= edge.right || bottom <= edge.top || top >= edge.bottom) return "away";
        [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
        [top, bottom] = [Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
      } else if (left < edge.left - 1 || right > edge.right + 1 || top < edge.top - 1 || bottom > edge.bottom + 1) {
        return "cut";
      }
    }
    return left < -1 || right > window.innerWidth + 1 ? "cut" : "whole";
  };
  const narrowed = (select) => {
    const { width } = select.getBoundingClientRect();
    const copy = select.cloneNode(true);
    copy.style.cssText = "position: fixed; width: max-content; max-width: none;";
    select.after(copy);
    const needed = copy.getBoundingClientRect().width;
    copy.remove();
    return needed > width + 1 && width < select.closest("form, dialog, main").clientWidth - 1;
  };
  const faults = [];
  const add = (element, rect, text) => {
    if (rect.width < 2 || rect.height < 2) return;
    const how = seen(element, rect);
    if (how === "cut") faults.push(`cut off: ${text}`);
    if (how !== "away") boxes.push({ element, rect, text });
  };
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !shown(element) || clipped(element) || element.closest("option, title")) continue;
    for (const { 0: word, index } of node.data.matchAll(WORD)) {
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const [first, ...others] = range.getClientRects();
      if (others.some(({ top }) => top > first.top + 3)) faults.push(`broken: ${word}`);
    }
    if (confirms(element)) continue;
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) add(element, rect, node.data.trim().slice(0, 60));
  }
  for (const element of root.querySelectorAll("input, select, textarea, button")) {
    if (shown(element) && !clipped(element) && !confirms(element)) {
      add(element, element.getBoundingClientRect(), element.outerHTML.slice(0, 80));
    }
    if (element.tagName !== "INPUT" && element.scrollWidth > element.clientWidth + 1) {
      faults.push(`too narrow: ${element.outerHTML.slice(0, 80)}`);
    }
    if (element.tagName === "SELECT" && shown(element) && narrowed(element)) {
      faults.push(`cut off: ${element.outerHTML.slice(0, 80)}`);
    }
  }
  for (const box of root.querySelectorAll(".scroll")) {
    if (box.scrollWidth > box.clientWidth + 1) faults.push(`wider than its box: ${box.ariaLabel}`);
  }
  boxes.sort((one, other) => one.rect.top - other.rect.top);
  boxes.forEach((one, place) => {
    for (const other of boxes.slice(place + 1)) {
      if (other.rect.top > one.rect.bottom - 3) break;
      if (one.element.contains(other.element) || other.element.contains(one.element)) continue;
      const width = Math.min(one.rect.right, other.rect.right) - Math.max(one.rect.left, other.rect.left);
      const height = Math.min(one.rect.bottom, other.rect.bottom) - Math.max(one.rect.top, other.rect.top);
      if (width > 3 && height > 3) faults.push(`over each other: ${one.text} / ${other.text}`);
    }
  });
  return faults;
}
"""


def assert_readable(page: Page) -> None:
    """Fail for text that is cut off, or over other text, at the size that the window has now."""
    faults = page.evaluate(_FAULTS)
    if faults:
        raise AssertionError("\n".join(faults))


def assert_nothing_is_covered(page: Page) -> None:
    """Fail where a confirmation lies over something that can be pressed."""
    covered = page.evaluate(
        """() => {
          const box = document.querySelector("#toasts").getBoundingClientRect();
          return [...document.querySelectorAll("#main a, #main button, header a")]
            .map((one) => one.getBoundingClientRect())
            .filter((one) => one.width && one.left < box.right && box.left < one.right
              && one.top < box.bottom && box.top < one.bottom).length;
        }"""
    )
    assert covered == 0
