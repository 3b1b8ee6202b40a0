// Asks the shipped network about crops: POST /api/learn/guess.

import { word } from "../dom.js";

const ADDRESS = "/api/learn/guess";
const BUSY_PAUSE_MS = 1500;
const TRIES = 4;

/**
 * What the network says about a crop (128×128 grey bytes): { age, low, high, probabilities, votes, filters, lot, ages }.
 * `lots`, { off, draws, seed, strongest }, switches random sets of features off: `lot` is the guess without the first set,
 * `ages` are the guessed ages without each of the sets.
 */
export async function ask(crop, lots = {}) {
  for (let attempt = 1; ; attempt += 1) {
    let response;
    try {
      response = await fetch(`${ADDRESS}?${new URLSearchParams(lots)}`, { method: "POST", body: crop });
    } catch {
      throw new Error(word("learn-script-unreachable"));
    }
    if (response.ok) return response.json();
    if (![429, 503].includes(response.status) || attempt === TRIES) throw new Error(word("learn-script-busy"));
    await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS * attempt));
  }
}

/** Calls `ask` for the newest input only: while one is asked about, later ones replace each other. */
export function latest(work) {
  let waiting = null;
  let busy = false;
  return async function next(...input) {
    waiting = input;
    if (busy) return;
    busy = true;
    while (waiting) {
      const newest = waiting;
      waiting = null;
      await work(...newest);
    }
    busy = false;
  };
}
