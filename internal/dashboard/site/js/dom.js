// Elements are made here and nowhere else. Text that comes from elsewhere gets into
// the page as text nodes only, whoever wrote it.

const svgNamespace = 'http://www.w3.org/2000/svg';

// h makes an element with attributes and children, which are elements or texts.
// Listeners are attributes whose names begin with "on"; false and null leave an
// attribute or a child out.
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

// s is h for SVG.
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNamespace, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

// say changes a text, unless it is the same: what is selected stays selected.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// mark changes an attribute, unless it is the same.
export function mark(element, name, value) {
  if (value == null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// show hides an element, or shows it again.
export function show(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

// arrange gives a parent exactly these children, and moves none that is in its place:
// what has the focus keeps it.
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
}

export const byId = (id) => document.getElementById(id);
