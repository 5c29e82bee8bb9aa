// The message box: ordinary text, and slash commands with a hint.

import { h, icon } from "./dom.js";

export class Composer {
  constructor(container, { send, commands, id, before }) {
    this.send = send;
    this.commands = commands;
    this.hints = h("div", { class: "hints", hidden: true });
    this.box = h("input", {
      id, class: "composer-input", type: "text", autocomplete: "off", enterkeyhint: "send",
      oninput: () => this.hint(),
      onkeydown: (event) => this.key(event),
    });
    this.form = h("form", { class: "composer" }, this.hints, before, this.box,
      h("button", { class: "send", type: "submit", "aria-label": "Send" }, icon("send")));
    this.form.addEventListener("submit", (event) => this.submit(event));
    container.replaceChildren(this.form);
  }

  // What the box says while it is empty, and whether anything can be written.
  allow(label, open) {
    this.form.classList.toggle("shut", !open);
    this.box.disabled = !open;
    if (this.box.placeholder === label) return;
    this.box.placeholder = label;
    this.box.setAttribute("aria-label", label);
  }

  hint() {
    const typed = this.box.value;
    const name = typed.split(" ")[0];
    const fitting = typed.startsWith("/") ? this.commands().filter((one) => one.command.startsWith(name)) : [];
    this.hints.hidden = !fitting.length;
    this.hints.replaceChildren(
      ...fitting.map((one) =>
        h("button", { type: "button", tabindex: -1, onclick: () => this.take(one) },
          h("b", {}, one.command), h("code", {}, one.usage_hint), h("small", {}, one.description))),
    );
  }

  take(command) {
    this.box.value = `${command.command} `;
    this.box.focus();
    this.hint();
  }

  key(event) {
    if (event.key === "Escape" && !this.hints.hidden) {
      this.hints.hidden = true;
      event.stopPropagation();
    }
    if (event.key === "Tab" && !event.shiftKey && !this.hints.hidden && !this.box.value.includes(" ")) {
      event.preventDefault();
      this.take(this.commands().find((one) => one.command.startsWith(this.box.value)));
    }
  }

  async submit(event) {
    event.preventDefault();
    const text = this.box.value.trim();
    if (!text || this.form.getAttribute("aria-busy")) return;
    this.box.value = "";
    this.hint();
    this.form.setAttribute("aria-busy", "true");
    try {
      await this.send(text);
    } finally {
      this.form.removeAttribute("aria-busy");
    }
  }
}
