// Building and keeping nodes. Data reaches the page as text nodes and attributes only.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  hash: "M5 8h14M5 16h14M10 4 8 20M16 4l-2 16",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6 6 18",
  back: "M15 5l-7 7 7 7",
  thread: "M4 5h16v11H10l-4 4v-4H4z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  send: "M4 12 20 4l-5 16-4-6z",
  warn: "M12 4 2.5 20h19zM12 10v5M12 17.4v.2",
  box: "M4 5h16v4H4zM6 9v10h12V9M10 13h4",
  dots: "M12 5.9v.2M12 11.9v.2M12 17.9v.2",
  check: "M5 12.5l4.5 4.5L19 7.5",
  external: "M7 17 17 7M9 7h8v8",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6z",
  storm: "M7 15a4 4 0 1 1 .9-7.9A5.5 5.5 0 0 1 18.4 9 3.2 3.2 0 0 1 18 15.2M13 11l-3 5h4l-2.4 5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.3 15.3 21 21",
};

export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function avatar(user) {
  if (user?.is_bot) return h("span", { class: "avatar bot", "aria-hidden": true }, icon("check"));
  const name = user?.real_name ?? "?";
  const tint = [...(user?.id ?? "")].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 6;
  const initials = name.split(" ").map((word) => word[0]).slice(0, 2).join("");
  return h("span", { class: `avatar tint-${tint}`, "aria-hidden": true }, initials);
}

// Keeps a node as long as its signature is the same, so that focus, open menus and typed text
// survive news about other messages.
export function reconcile(container, items, render) {
  const focused = document.activeElement?.closest("[data-focus]")?.dataset.focus;
  const known = new Map([...container.children].map((node) => [node.dataset.key, node]));
  let place = container.firstElementChild;
  for (const { key, signature, value } of items) {
    let node = known.get(key);
    known.delete(key);
    if (!node || node.dataset.signature !== signature) {
      const fresh = render(value);
      fresh.dataset.key = key;
      fresh.dataset.signature = signature;
      if (node) {
        if (node === place) place = fresh;
        node.replaceWith(fresh);
      }
      node = fresh;
    }
    if (node === place) place = place.nextElementSibling;
    else container.insertBefore(node, place);
  }
  for (const gone of known.values()) gone.remove();
  if (focused && !document.activeElement?.closest("[data-focus]")) {
    container.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  }
}

let hiding;

export function toast(text) {
  const node = document.getElementById("toast");
  node.textContent = text;
  node.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => node.classList.remove("shown"), 5000);
}
