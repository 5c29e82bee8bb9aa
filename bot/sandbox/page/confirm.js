// The small question before something is done. Resolves to whether the person said yes.

import { h } from "./dom.js";
import { textObject, words } from "./text.js";

const NOBODY = { users: new Map(), groups: new Map(), channels: new Map() };
const plain = (text) => ({ type: "plain_text", text });

export async function confirmed(confirm, people = NOBODY) {
  if (!confirm) return true;
  const dialog = document.getElementById("confirm");
  const before = document.activeElement;
  const tone = confirm.style === "danger" ? "danger" : "primary";
  dialog.replaceChildren(
    h(
      "form",
      { method: "dialog", class: "sheet small" },
      h("header", {}, h("h2", { id: "confirm-title" }, words(confirm.title))),
      h("div", { class: "sheet-body" }, textObject(confirm.text, people)),
      h(
        "footer",
        {},
        h("button", { class: "button", value: "no" }, words(confirm.deny)),
        h("button", { class: `button ${tone}`, value: "yes", autofocus: true }, words(confirm.confirm)),
      ),
    ),
  );
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => {
    dialog.addEventListener("close", resolve, { once: true });
  });
  before?.focus();
  return dialog.returnValue === "yes";
}

export function sure(title, text, yes) {
  return confirmed({ title: plain(title), text: plain(text), confirm: plain(yes), deny: plain("Cancel"), style: "danger" });
}
