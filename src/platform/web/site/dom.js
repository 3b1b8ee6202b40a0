// Shared by the pages' scripts: elements and words.

export const byId = (id) => document.getElementById(id);

/** The page's language, an ISO 639-1 code. */
export const language = document.documentElement.lang;

const words = JSON.parse(byId("words").textContent);

/** The message `id` in the page's language, with `{$name}` replaced by the value of that name. */
export function word(id, values = {}) {
  const text = words[id];
  if (text === undefined) throw new Error(`no message ${id}`);
  return text.replace(/\{\$([a-z-]+)\}/g, (_, name) => values[name]);
}

/** Creates an element; `children` are strings and nodes, never markup. */
export function create(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function createSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/** Whether the visitor wants less motion. */
export const reducedMotion = () => stillness.matches;
