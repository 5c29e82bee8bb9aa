// The page: who you are, where you are, and the news as it comes (long-poll).

import { blocks } from "./blocks.js";
import { Composer } from "./composer.js";
import { avatar, h, icon, reconcile, toast } from "./dom.js";
import { beginning, drawMessages, keepEndInView } from "./messages.js";
import { Modal } from "./modal.js";

const $ = (id) => document.getElementById(id);
const FIRST = "C0APPROVE";

const page = {
  me: new URLSearchParams(location.search).get("as") ?? remembered() ?? "U0ANA",
  place: location.hash.slice(1) || FIRST,
  tab: "home",
  thread: null,
  marked: null,
  state: null,
  seen: new Map(),
  polling: null,

  people() {
    const index = (list) => new Map(list.map((one) => [one.id, one]));
    const { users, groups, channels } = this.state;
    return { users: index(users), groups: index(groups), channels: index(channels) };
  },

  find(channel, ts) {
    return (this.state.messages[channel] ?? []).find((one) => one.ts === ts);
  },

  channel() {
    const { channels } = this.state;
    return channels.find((one) => one.id === this.place) ?? channels[0];
  },

  async act(name, fields = {}) {
    try {
      const response = await fetch(`/people/${name}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ user: this.me, ...fields }),
      });
      const outcome = await response.json();
      if (!response.ok) toast(outcome.error);
      return outcome;
    } catch {
      toast("The sandbox does not answer.");
      return { ok: false };
    }
  },

  openThread(ts) {
    this.thread = ts;
    draw();
    $("thread").querySelector(".composer-input")?.focus();
  },

  closeThread() {
    this.thread = null;
    draw();
  },

  remove(channel, ts) {
    if (window.confirm("Delete this message by hand?")) this.act("delete", { channel, ts });
  },

  go(place) {
    this.place = place;
    this.thread = null;
    this.marked = null;
    history.replaceState(null, "", `/?as=${this.me}#${place}`);
    document.body.classList.remove("drawer");
    $("messages").replaceChildren();
    if (this.channel()?.is_im) this.act("open_home", { tab: this.state.home_tab ? this.tab : "messages" });
    draw();
  },

  become(user) {
    this.me = user;
    try {
      localStorage.setItem("as", user);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    history.replaceState(null, "", `/?as=${user}#${this.place}`);
    this.polling?.abort();
  },

  say(text, thread_ts) {
    const { id: channel } = this.channel();
    if (text.startsWith("/")) return this.act("slash", { channel, text, in_thread: Boolean(thread_ts) });
    return this.act("say", { channel, text, thread_ts });
  },
};

function remembered() {
  try {
    return localStorage.getItem("as");
  } catch {
    return null;
  }
}

const modal = new Modal(page.act.bind(page), page.people.bind(page));
const commands = () => page.state?.commands ?? [];
const composer = new Composer($("composer"), { send: (text) => page.say(text), commands, id: "composer-input" });

function topLevel(channel) {
  return (page.state.messages[channel] ?? []).filter((one) => !one.thread_ts || one.broadcast);
}

function unread(channel) {
  const last = page.seen.get(`${page.me}/${channel.id}`) ?? "";
  return topLevel(channel.id).filter((one) => one.ts > last && one.user !== page.me).length;
}

function entry(channel) {
  const here = channel.id === page.channel().id;
  const news = here ? 0 : unread(channel);
  const sign = channel.is_im ? avatar({ is_bot: true }) : icon(channel.is_archived ? "box" : "hash");
  const node = () =>
    h("button", { type: "button", class: `channel${news ? " news" : ""}`, "data-focus": `channel/${channel.id}`,
      "aria-current": here ? "page" : undefined, onclick: () => page.go(channel.id) },
    sign, h("span", {}, channel.name), news > 0 && h("b", { class: "badge" }, news));
  return { key: channel.id, signature: JSON.stringify([channel, here, news]), value: { node } };
}

function title(text) {
  return { key: text, signature: text, value: { node: () => h("h2", {}, text) } };
}

function drawSidebar() {
  const { state } = page;
  $("team").textContent = state.team.name;
  const people = state.users.filter((one) => !one.is_bot);
  const note = (one) =>
    one.deleted ? " (deactivated)" : one.is_guest ? " (guest)" : one.is_stranger ? " (external)" : "";
  const label = (one) => one.real_name + note(one);
  reconcile($("person"), people.map((one) => ({ key: one.id, signature: label(one), value: one })),
    (one) => h("option", { value: one.id }, label(one)));
  $("person").value = page.me;
  const me = people.find((one) => one.id === page.me);
  if ($("you-avatar").dataset.user !== page.me) {
    $("you-avatar").replaceWith(Object.assign(avatar(me), { id: "you-avatar" }));
    $("you-avatar").dataset.user = page.me;
  }
  const rooms = state.channels.filter((one) => !one.is_im);
  const app = state.channels.filter((one) => one.is_im);
  const items = [title("Channels"), ...rooms.map(entry)];
  if (app.length) items.push(title("Apps"), ...app.map(entry));
  reconcile($("channels"), items, (value) => value.node());
  const on = state.connected.sockets > 0 || state.connected.request_url;
  $("connection").className = on ? "on" : "off";
  $("connection").textContent = on ? `${state.app.name} is connected` : `${state.app.name} is not connected`;
}

function drawHome(channel) {
  const shown = channel.is_im && page.state.home_tab;
  $("tabs").hidden = !shown;
  const home = shown && page.tab === "home";
  $("home").hidden = !home;
  $("messages").hidden = home;
  $("composer").hidden = home;
  if (!shown) return;
  $("tabs").replaceChildren(...["home", "messages"].map((tab) =>
    h("button", { type: "button", role: "tab", "aria-selected": String(tab === page.tab), "data-focus": `tab/${tab}`,
      onclick: () => { page.tab = tab; page.go(channel.id); } }, tab[0].toUpperCase() + tab.slice(1))));
  const view = page.state.home;
  const signature = JSON.stringify(view);
  if ($("home").dataset.signature === signature) return;
  $("home").dataset.signature = signature;
  const click = (action_id, block_id, value) => page.act("click_view", { action_id, block_id, value, home: true });
  const ctx = { id: "home", people: page.people(), values: view?.state.values, input: () => null, click };
  $("home").replaceChildren(...(view ? blocks(view.blocks, ctx) : [h("p", { class: "beginning" }, "Nothing here yet.")]));
}

function drawChannel() {
  const channel = page.channel();
  page.place = channel.id;
  const name = channel.is_im ? channel.name : `#${channel.name}`;
  $("place").textContent = name;
  $("about").textContent = [
    !channel.is_im && `${channel.member_count} members`,
    channel.is_ext_shared && "shared with another company",
    channel.is_archived && "archived",
  ].filter(Boolean).join(" · ");
  drawHome(channel);
  drawMessages($("messages"), topLevel(channel.id), page, false, [beginning(channel, page.state.app)]);
  const last = topLevel(channel.id).at(-1);
  if (last) page.seen.set(`${page.me}/${channel.id}`, last.ts);
  composer.name(channel.is_archived ? `${name} is archived` : `Message ${name}, or type / for commands`);
  composer.box.disabled = channel.is_archived;
  const news = page.state.channels.reduce((sum, one) => sum + (one.id === channel.id ? 0 : unread(one)), 0);
  document.title = `${news ? `(${news}) ` : ""}${name} · ${page.state.team.name}`;
}

function drawThread() {
  const panel = $("thread");
  const parent = page.thread && page.find(page.place, page.thread);
  panel.hidden = !parent;
  document.body.classList.toggle("threaded", Boolean(parent));
  if (!parent) return;
  if (panel.dataset.ts !== parent.ts || !panel.childElementCount) {
    panel.dataset.ts = parent.ts;
    const box = h("div", {});
    panel.replaceChildren(
      h("header", { class: "bar" },
        h("button", { type: "button", class: "ghost", "aria-label": "Close the thread", onclick: () => page.closeThread() },
          icon("back"), icon("close")),
        h("h1", {}, "Thread"), h("span", {}, `#${page.channel().name}`)),
      h("section", { class: "messages", "aria-live": "polite" }), box);
    page.threadComposer = new Composer(box, { send: (text) => page.say(text, page.thread), commands, id: "thread-input" });
    page.threadComposer.name("Reply …");
  }
  const replies = (page.state.messages[page.place] ?? []).filter((one) => one.thread_ts === parent.ts);
  drawMessages(panel.querySelector(".messages"), [parent, ...replies], page, true);
}

function draw() {
  if (!page.state) return;
  drawSidebar();
  drawChannel();
  drawThread();
  modal.show(page.state.modal);
}

// A permalink names its channel and message in the path, and perhaps its thread.
function follow() {
  const [, channel, digits] = /^\/archives\/(\w+)\/p(\d+)/.exec(location.pathname) ?? [];
  if (!channel) return;
  page.place = channel;
  page.marked = `${digits.slice(0, -6)}.${digits.slice(-6)}`;
  page.thread = new URLSearchParams(location.search).get("thread_ts");
}

async function poll() {
  let since = 0;
  let who = page.me;
  for (;;) {
    if (who !== page.me) [since, who] = [0, page.me];
    page.polling = new AbortController();
    try {
      const response = await fetch(`/people/state?user=${who}&since=${since}&wait=${since ? 25 : 0}`, {
        signal: page.polling.signal,
      });
      if (response.status === 400 && who !== "U0ANA") {
        page.me = "U0ANA";
        continue;
      }
      page.state = await response.json();
      since = page.state.revision;
      $("offline").hidden = true;
      draw();
      if (page.marked) document.querySelector(".marked")?.scrollIntoView({ block: "center" });
    } catch (error) {
      if (error.name === "AbortError") continue;
      $("offline").hidden = false;
      since = 0;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

$("menu").append(icon("menu"));
$("menu").addEventListener("click", () => {
  $("menu").setAttribute("aria-expanded", String(document.body.classList.toggle("drawer")));
});
$("scrim").addEventListener("click", () => document.body.classList.remove("drawer"));
$("person").addEventListener("change", () => page.become($("person").value));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || $("modal").open || $("confirm").open) return;
  if (document.body.classList.contains("drawer")) document.body.classList.remove("drawer");
  else if (page.thread) page.closeThread();
});
keepEndInView($("messages"));
follow();
poll();
