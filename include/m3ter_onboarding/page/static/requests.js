/**
 * Requests to the API of this page, and to Airflow's own.
 *
 * @module
 */

import { AIRFLOW, save } from "./airflow_window.js";

/** @typedef {import("../api_types").Gets} Gets answers, by path */
/** @typedef {import("../api_types").Posts} Posts bodies and answers, by path */

/** An answer that is an error, or none: its message is a sentence for the person at the page. */
export class RequestError extends Error {
  /**
   * @param {number} status of HTTP; 0: no answer
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string | URL} address
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 * @throws {RequestError}
 */
async function request(address, options = {}) {
  let response;
  try {
    response = await fetch(address, { credentials: "same-origin", redirect: "error", ...options });
  } catch {
    throw new RequestError(0, "Airflow could not be reached. Try again.");
  }
  if (response.ok) return response;
  if (response.status === 401) {
    throw new RequestError(401, "You are not logged in to Airflow any more. Reload Airflow, and log in.");
  }
  const text = (await detailOf(response)) || `The server answered ${response.status} ${response.statusText}.`;
  throw new RequestError(response.status, text);
}

/**
 * Return the sentence of an error; empty: it has none. Airflow's own are texts or objects.
 * @param {Response} response
 * @returns {Promise<string>}
 */
async function detailOf(response) {
  try {
    /** @type {{ detail?: string | { reason?: string } }} */
    const { detail } = await response.json();
    return typeof detail === "string" ? detail : (detail?.reason ?? "");
  } catch {
    return "";
  }
}

/**
 * @param {unknown} body
 * @returns {RequestInit}
 */
function posting(body) {
  const headers = { "content-type": "application/json", "x-m3ter-onboarding": "1" };
  return { method: "POST", headers, body: JSON.stringify(body) };
}

/**
 * @template {keyof Gets} Path
 * @param {Path} path below the page's API
 * @param {Record<string, string>} [query]
 * @returns {Promise<Gets[Path]>}
 */
export async function get(path, query = {}) {
  const text = new URLSearchParams(query).toString();
  return (await request(`api/${path}${text ? `?${text}` : ""}`)).json();
}

/**
 * @template {keyof Posts} Path
 * @param {Path} path below the page's API
 * @param {Posts[Path]["body"]} body
 * @returns {Promise<Posts[Path]["answer"]>}
 */
export async function post(path, body) {
  return (await request(`api/${path}`, posting(body))).json();
}

/**
 * Save an answer as a file.
 * @template {keyof Posts} Path
 * @param {Path} path below the page's API
 * @param {Posts[Path]["body"]} body
 * @param {string} name
 */
export async function download(path, body, name) {
  const response = await request(`api/${path}`, posting(body));
  save(await response.blob(), name);
}

/**
 * Start a run, by Airflow's own API, and so by its permissions and in its audit log.
 * @param {string} dagId
 * @param {Record<string, string | number>} conf the parameters
 * @returns {Promise<{ dag_run_id: string }>}
 */
export async function startRun(dagId, conf) {
  const address = new URL(`api/v2/dags/${encodeURIComponent(dagId)}/dagRuns`, AIRFLOW);
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ logical_date: null, conf });
  return (await request(address, { method: "POST", headers, body })).json();
}
