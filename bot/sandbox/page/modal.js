// The open modal as a dialog: native focus trap, Esc closes, Enter submits, text survives updates.

import { blocks } from "./blocks.js";
import { h, icon } from "./dom.js";
import { control } from "./fields.js";
import { row } from "./row.js";
import { words } from "./text.js";

export class Modal {
  constructor(act, people) {
    this.act = act;
    this.people = people;
    this.dialog = document.getElementById("modal");
    this.view = null;
    this.readers = new Map();
    this.drafts = new Map();
    this.sending = null;
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close(true);
    });
  }

  show(view) {
    if (!view) {
      this.view = null;
      this.drafts.clear();
      if (this.dialog.open) this.dialog.close();
      return;
    }
    const signature = JSON.stringify([view.id, view.hash, view.errors, view.trouble]);
    if (this.signature === signature && this.view) return;
    const same = this.view?.id === view.id;
    if (same) this.keep();
    else this.drafts.clear();
    const focused = same ? document.activeElement?.closest("[data-input]")?.dataset.input : undefined;
    this.signature = signature;
    this.view = view;
    this.draw();
    if (!this.dialog.open) this.dialog.showModal();
    this.focus(focused);
  }

  keep() {
    for (const [key, read] of this.readers) this.drafts.set(key, read());
  }

  focus(key) {
    const first = Object.keys(this.view.errors)[0];
    const rows = [...this.dialog.querySelectorAll("[data-block]")];
    const row = rows.find((one) => one.dataset.block === (first ?? key));
    const inside = "input, textarea, select, summary, button";
    (row?.querySelector(inside) ?? this.dialog.querySelector("[autofocus]") ??
      this.dialog.querySelector(".sheet-body :is(input, textarea, select, .multi summary)") ??
      this.dialog.querySelector("footer .primary") ?? this.dialog.querySelector("footer .button"))?.focus();
  }

  draw() {
    const { view } = this;
    this.readers.clear();
    const submit = view.submit && h("button", { class: "button primary", type: "submit" }, words(view.submit));
    if (submit && this.sending === view.id) submit.setAttribute("aria-busy", "true");
    const form = h(
      "form",
      { class: "sheet", novalidate: true },
      h(
        "header",
        {},
        view.depth > 1
          ? h("button", { type: "button", class: "ghost", "aria-label": "Back", onclick: () => this.close(false) }, icon("back"))
          : h("span", { class: "avatar bot", "aria-hidden": true }, icon("check")),
        h("h2", { id: "modal-title" }, words(view.title)),
        h("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: () => this.close(true) }, icon("close")),
      ),
      h("div", { class: "sheet-body" }, blocks(view.blocks, this.context())),
      view.trouble && h("p", { class: "trouble", role: "alert" }, icon("warn"), view.trouble),
      h(
        "footer",
        {},
        h("button", { type: "button", class: "button", onclick: () => this.close(false) }, this.closing()),
        submit,
      ),
    );
    form.addEventListener("submit", (event) => this.submit(event));
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) form.requestSubmit();
    });
    this.dialog.replaceChildren(form);
  }

  closing() {
    if (this.view.close) return words(this.view.close);
    if (this.view.depth > 1) return "Back";
    return this.view.submit ? "Cancel" : "Close";
  }

  context() {
    return {
      id: this.view.id,
      people: this.people(),
      values: this.view.state.values,
      input: (block) => this.input(block),
      click: (action_id, block_id, value) =>
        this.act("click_view", { action_id, block_id, value, values: this.values() }),
    };
  }

  input(block) {
    const { element } = block;
    const key = JSON.stringify([block.block_id, element.action_id]);
    let current = this.view.state.values[block.block_id]?.[element.action_id];
    if (this.drafts.has(key)) current = this.drafted(element, this.drafts.get(key));
    const dispatch = (value) =>
      block.dispatch_action &&
      this.act("click_view",
        { action_id: element.action_id, block_id: block.block_id, value, values: this.values() });
    const made = control(element, current, dispatch);
    this.readers.set(key, made.read);
    return row(block, made.node, this.view.errors[block.block_id]);
  }

  drafted(element, value) {
    const all = element.options ?? (element.option_groups ?? []).flatMap((group) => group.options);
    return {
      value,
      selected_option: all.find((option) => option.value === value),
      selected_options: (Array.isArray(value) ? value : [])
        .map((one) => all.find((option) => option.value === one)),
      selected_date: value,
      selected_time: value,
      selected_date_time: value,
    };
  }

  values() {
    const values = {};
    for (const [key, read] of this.readers) values[JSON.parse(key)[0]] = read();
    return values;
  }

  // News may draw the view anew while the app thinks; the button goes on saying so.
  async submit(event) {
    event.preventDefault();
    if (!this.view.submit || this.sending) return;
    this.sending = this.view.id;
    this.busy(true);
    try {
      await this.act("submit", { values: this.values() });
    } finally {
      this.sending = null;
      this.busy(false);
    }
  }

  busy(on) {
    const button = this.dialog.querySelector("button[type=submit]");
    if (on) button?.setAttribute("aria-busy", "true");
    else button?.removeAttribute("aria-busy");
  }

  close(everything) {
    this.act("close", { everything });
  }
}
