// "Make trouble": a panel that makes Slack misbehave, and shows how the app gets over it.

import { h, icon, reconcile, toast } from "./dom.js";
import { controls, told } from "./trouble_controls.js";
import { line } from "./trouble_log.js";

const EVERY_MS = 600;
const panel = document.getElementById("trouble");
const button = document.getElementById("make-trouble");

async function ask(path, method = "GET", body = undefined) {
  try {
    const headers = body && { "Content-Type": "application/json" };
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) toast(answer.error);
    return response.ok ? answer : null;
  } catch {
    return null;
  }
}

export class Trouble {
  constructor(page) {
    this.page = page;
    this.open = false;
    button.append(icon("storm"), h("b", { class: "badge", hidden: true }));
    button.addEventListener("click", () => this.toggle());
  }

  toggle(open = !this.open) {
    if (open === this.open) return;
    this.open = open;
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("troubled", open);
    if (!open) {
      clearTimeout(this.timer);
      button.focus();
      return;
    }
    this.page.closeThread();
    this.body = h("div", { class: "trouble-body" });
    this.trace = h("section", { class: "trouble-trace", "aria-label": "What happens" });
    panel.replaceChildren(this.head(), this.body, this.trace);
    panel.querySelector("button").focus();
    this.refresh();
  }

  head() {
    return h("header", { class: "bar" }, h("h1", {}, "Make trouble"),
      h("button", { type: "button", class: "ghost", "aria-label": "Close the panel", onclick: () => this.toggle(false) },
        icon("close")));
  }

  async refresh() {
    clearTimeout(this.timer);
    const shown = await ask("/trouble");
    if (!this.open) return;
    if (shown) this.draw(shown);
    this.timer = setTimeout(() => this.refresh(), EVERY_MS);
  }

  async store(fault) {
    if (await ask("/faults", "POST", fault)) this.refresh();
  }

  async clear() {
    await ask("/faults", "DELETE");
    this.refresh();
  }

  async disturb(action) {
    const done = await ask("/faults/socket", "POST", { action });
    if (done && !done.connections) toast("No socket is open.");
    this.refresh();
  }

  async forget() {
    await ask("/calls", "DELETE");
    this.refresh();
  }

  draw(shown) {
    if (!this.body.childElementCount) {
      this.parts = controls(this, shown.methods);
      this.pending = h("ul", { class: "pending", "aria-live": "polite" });
      this.log = h("ol", { class: "trace" });
      this.body.replaceChildren(
        h("section", {}, h("h2", {}, "In store",
          h("button", { type: "button", class: "quiet", onclick: () => this.clear() }, "Clear all")), this.pending),
        ...this.parts.sections);
      this.trace.replaceChildren(h("h2", {}, "What happens",
        h("button", { type: "button", class: "quiet", onclick: () => this.forget() }, "Forget")), this.log);
    }
    const nothing = { key: "nothing", signature: "", value: { said: "Nothing: all will be well." } };
    const stored = shown.pending.map((fault, place) => ({ key: `${place}`, signature: told(fault), value: { said: told(fault) } }));
    reconcile(this.pending, stored.length ? stored : [nothing], ({ said }) => h("li", {}, said));
    this.parts.draw(shown, this.page);
    this.badge(shown.pending.length);
    const lines = shown.lines.map((one) => ({ key: `${one.at}/${one.name}`, signature: "", value: one }));
    reconcile(this.log, lines, line);
  }

  badge(count) {
    const sign = button.querySelector(".badge");
    sign.hidden = !count;
    sign.textContent = count;
  }
}
