// Airflow around this page: its addresses, its API, and its window where the page is a part of it.

import { h } from "./dom.js";

// This page is at <Airflow>/m3ter-onboarding/, wherever Airflow is.
const AIRFLOW = new URL("../", document.baseURI);

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answer(response) {
  if (response.ok) return response;
  let detail = "";
  try {
    const found = (await response.json()).detail;
    detail = typeof found === "string" ? found : (found?.reason ?? "");
  } catch {
    detail = "";
  }
  if (response.status === 401) detail = "You are not logged in to Airflow any more. Reload Airflow, and log in.";
  throw new Refused(response.status, detail || `The server answered ${response.status} ${response.statusText}.`);
}

async function request(address, options = {}) {
  let response;
  try {
    response = await fetch(address, { credentials: "same-origin", redirect: "error", ...options });
  } catch {
    throw new Refused(0, "Airflow could not be reached. Try again.");
  }
  return answer(response);
}

const JSON_HEADERS = { "content-type": "application/json", "x-m3ter-onboarding": "1" };

export async function get(path, query = {}) {
  const text = new URLSearchParams(query).toString();
  return (await request(`api/${path}${text ? `?${text}` : ""}`)).json();
}

export async function post(path, body) {
  return (await request(`api/${path}`, { method: "POST", headers: JSON_HEADERS, body: JSON.stringify(body) })).json();
}

export async function download(path, body, name) {
  const response = await request(`api/${path}`, { method: "POST", headers: JSON_HEADERS, body: JSON.stringify(body) });
  const address = URL.createObjectURL(await response.blob());
  // Airflow 3.2 lets its frames download nothing; its own document may.
  const around = outside()?.document ?? document;
  const link = around.createElement("a");
  link.href = address;
  link.download = name;
  around.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// By Airflow's own API, and so by its permissions and in its audit log.
export async function trigger(dagId, conf) {
  const address = new URL(`api/v2/dags/${encodeURIComponent(dagId)}/dagRuns`, AIRFLOW);
  const body = JSON.stringify({ logical_date: null, conf });
  const headers = { "content-type": "application/json" };
  return (await request(address, { method: "POST", headers, body })).json();
}

function outside() {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null;
  }
}

// The frame may not move Airflow's window; a link in Airflow's own document may.
function follow(event) {
  const around = outside();
  if (!around) return;
  event.preventDefault();
  const link = around.document.createElement("a");
  link.href = event.currentTarget.href;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1) {
    link.target = "_blank";
    link.rel = "noopener";
  }
  around.document.body.append(link);
  link.click();
  link.remove();
}

export function airflowLink(path, ...content) {
  const href = new URL(path, AIRFLOW).href;
  return h("a", { href, onclick: follow, onauxclick: (event) => event.button === 1 && follow(event) }, ...content);
}

const part = encodeURIComponent;

export function runPath(dagId, runId) {
  return `dags/${part(dagId)}/runs/${part(runId)}`;
}

export function taskPath(dagId, runId, taskId) {
  return `${runPath(dagId, runId)}/tasks/${part(taskId)}`;
}

// Airflow's address says what is shown, so that it can be kept and reloaded.
export function tellAddress(hash) {
  const around = outside();
  if (!around || !around.location.pathname.includes("/plugin/m3ter-onboarding")) return;
  if (/\/dags\//.test(around.location.pathname)) return;
  // Whole: a mere # would be taken to be relative to Airflow's <base>.
  const { pathname, search } = around.location;
  around.history.replaceState(around.history.state, "", `${pathname}${search}${hash}`);
}

export function firstHash() {
  if (location.hash.length > 2) return location.hash;
  const around = outside();
  const kept = around && !/\/dags\//.test(around.location.pathname) ? around.location.hash : "";
  return kept.startsWith("#/") ? kept : location.hash;
}
