/**
 * Airflow's window around this page, where the page is a frame of it.
 *
 * @module
 */

import { h } from "./elements.js";

/** Where Airflow is: this page is at <Airflow>/m3ter-onboarding/. */
export const AIRFLOW = new URL("../", document.baseURI);

/** Return the window around this one; null: the page stands alone. */
function airflowWindow() {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null;
  }
}

/**
 * Click a link in a document for a moment.
 * @param {Document} target
 * @param {{ href: string, download?: string, target?: string, rel?: string }} attributes
 */
function clickIn(target, attributes) {
  const link = Object.assign(target.createElement("a"), attributes);
  target.body.append(link);
  link.click();
  link.remove();
}

/**
 * Save a file. Airflow 3.2 lets its frames download nothing; its own document may.
 * @param {Blob} content
 * @param {string} name
 */
export function save(content, name) {
  const href = URL.createObjectURL(content);
  clickIn(airflowWindow()?.document ?? document, { href, download: name });
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/**
 * Follow a link to Airflow. The frame may not move Airflow's window; a link in Airflow's own document may.
 * @param {MouseEvent & { currentTarget: HTMLAnchorElement }} event
 */
function follow(event) {
  const around = airflowWindow();
  if (!around) return;
  event.preventDefault();
  const { href } = event.currentTarget;
  const apart = event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1;
  clickIn(around.document, apart ? { href, target: "_blank", rel: "noopener" } : { href });
}

/**
 * @param {string} path relative to Airflow
 * @param {...import("./elements.js").Child} content
 */
export function airflowLink(path, ...content) {
  /** @param {MouseEvent & { currentTarget: HTMLAnchorElement }} event */
  const onauxclick = (event) => {
    if (event.button === 1) follow(event);
  };
  return h("a", { href: new URL(path, AIRFLOW).href, onclick: follow, onauxclick }, ...content);
}

/**
 * Keep the screen in the address of Airflow's window, so that it can be kept and reloaded.
 * @param {string} hash
 */
export function showInAirflowAddress(hash) {
  const around = airflowWindow();
  if (!around?.location.pathname.includes("/plugin/m3ter-onboarding")) return;
  if (around.location.pathname.includes("/dags/")) return;
  // Whole: a mere # would be taken to be relative to Airflow's <base>.
  const { pathname, search } = around.location;
  around.history.replaceState(around.history.state, "", `${pathname}${search}${hash}`);
}

/** Return the screen to begin with: that of the own address, or of Airflow's. */
export function initialHash() {
  if (location.hash.length > 2) return location.hash;
  const around = airflowWindow();
  const kept = around && !around.location.pathname.includes("/dags/") ? around.location.hash : "";
  return kept.startsWith("#/") ? kept : location.hash;
}
