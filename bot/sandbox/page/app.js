// The page: who you are, where you are, and the news as it comes (long-poll).

import { Composer } from "./composer.js";
import { sure } from "./confirm.js";
import { icon, toast } from "./dom.js";
import { drawHome, walkTabs } from "./home.js";
import { listen } from "./keys.js";
import { lightning } from "./lightning.js";
import { beginning, drawMessages, keepEndInView } from "./messages.js";
import { Modal } from "./modal.js";
import { openPalette } from "./palette.js";
import { drawSidebar } from "./sidebar.js";
import { drawThread } from "./thread.js";
import { Trouble } from "./trouble.js";
import { setZone } from "./zone.js";

const $ = (id) => document.getElementById(id);
const FIRST = "C0APPROVE";
const SOMEBODY = "U0ANA";
const SHUT = "Sending messages to this app has been turned off.";

const page = {
  me: new URLSearchParams(location.search).get("as") ?? remembered() ?? SOMEBODY,
  place: location.hash.slice(1) || FIRST,
  tab: "home",
  thread: null,
  marked: null,
  state: null,
  seen: new Map(),
  opened: null,
  polling: null,
  commands: () => page.state?.commands ?? [],

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

  // Why nothing can be written here, or nothing if something can.
  closed() {
    const channel = this.channel();
    if (channel.is_archived) return `#${channel.name} is archived.`;
    return channel.is_im && this.state.messages_read_only ? SHUT : "";
  },

  unread(channel) {
    const last = this.seen.get(`${this.me}/${channel.id}`) ?? "";
    return topLevel(channel.id).filter((one) => one.ts > last && one.user !== this.me).length;
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
    this.trouble.toggle(false);
    this.thread = ts;
    draw();
    $("thread").querySelector(".composer-input")?.focus();
  },

  closeThread() {
    const ts = this.thread;
    this.thread = null;
    if (!this.state || !ts) return;
    draw();
    $("messages").querySelector(`[data-focus="thread/${ts}"]`)?.focus();
  },

  async remove(channel, ts) {
    const yes = await sure("Delete message", "Delete this message by hand? The app will notice.", "Delete");
    if (yes) this.act("delete", { channel, ts });
  },

  drawer(open) {
    document.body.classList.toggle("drawer", open);
    $("menu").setAttribute("aria-expanded", String(open));
    if (open) $("person").focus();
  },

  remember() {
    history.replaceState(null, "", `/?as=${this.me}#${this.place}`);
  },

  go(place, marked = null, thread = null) {
    [this.place, this.marked, this.thread] = [place, marked, thread];
    this.remember();
    this.drawer(false);
    $("messages").replaceChildren();
    draw();
    reveal();
  },

  turn(tab) {
    this.tab = tab;
    this.go(this.place);
  },

  become(user) {
    const app = this.channel().is_im;
    this.me = user;
    // Everybody has an own conversation with the app; whoever has none sees their first channel.
    if (app) this.place = `D${user.slice(1)}`;
    this.thread = null;
    try {
      localStorage.setItem("as", user);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    this.remember();
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
const composer = new Composer($("composer"), {
  send: (text) => page.say(text),
  commands: page.commands,
  id: "composer-input",
  before: lightning({
    shortcuts: () => page.state?.shortcuts ?? [],
    commands: page.commands,
    run: (callback_id) => page.act("shortcut", { callback_id }),
    type: (command) => composer.take(command),
  }),
});
page.trouble = new Trouble(page);

function topLevel(channel) {
  return (page.state.messages[channel] ?? []).filter((one) => !one.thread_ts || one.broadcast);
}

// Opening the app, or its other tab, is what the app hears of; drawing it again is not.
function openApp(channel) {
  const tab = page.state.home_tab ? page.tab : "messages";
  const now = channel.is_im ? `${page.me}/${tab}` : null;
  if (page.opened === now) return;
  page.opened = now;
  if (now) page.act("open_home", { tab });
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
  openApp(channel);
  drawHome(channel, page);
  drawMessages($("messages"), topLevel(channel.id), page, false, [beginning(channel, page.state.app)]);
  composer.allow(page.closed() || `Message ${name}, or type / for commands`, !page.closed());
  const news = page.state.channels.reduce((sum, one) => sum + page.unread(one), 0);
  document.title = `${news ? `(${news}) ` : ""}${name} · ${page.state.team.name}`;
}

// What stands before somebody has been read; the Home tab hides the messages behind it.
function read() {
  const { id } = page.channel();
  const last = topLevel(id).at(-1);
  if (last && !$("messages").hidden) page.seen.set(`${page.me}/${id}`, last.ts);
}

function draw() {
  if (!page.state) return;
  page.place = page.channel().id;
  setZone(page.state.users.find((one) => one.id === page.me)?.tz);
  $("messages").hidden = page.channel().is_im && page.state.home_tab && page.tab === "home";
  read();
  drawSidebar(page);
  drawChannel();
  drawThread(page);
  modal.show(page.state.modal);
  page.trouble.badge(page.state.faults ?? 0);
}

// A permalink names its channel and message in the path, and perhaps its thread.
function linked(url) {
  const [, channel, digits] = /^\/archives\/(\w+)\/p(\d+)/.exec(url.pathname) ?? [];
  if (!channel) return null;
  return [channel, `${digits.slice(0, -6)}.${digits.slice(-6)}`, url.searchParams.get("thread_ts")];
}

function reveal() {
  const marked = page.marked && document.querySelector(".marked");
  if (!marked || page.revealed === page.marked) return;
  page.revealed = page.marked;
  marked.scrollIntoView({ block: "center" });
  marked.focus({ preventScroll: true });
}

function follow(event) {
  const anchor = event.target.closest?.("a[href]");
  if (!anchor || anchor.origin !== location.origin || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const place = linked(new URL(anchor.href));
  if (!place) return;
  event.preventDefault();
  page.revealed = null;
  page.go(...place);
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
      if (response.status === 400 && who !== SOMEBODY) {
        page.me = SOMEBODY;
        continue;
      }
      page.state = await response.json();
      since = page.state.revision;
      $("offline").hidden = true;
      draw();
      reveal();
    } catch (error) {
      if (error.name === "AbortError") continue;
      $("offline").hidden = false;
      since = 0;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

$("menu").append(icon("menu"));
$("jump").prepend(icon("search"));
$("theme").append(icon("moon"));
$("menu").addEventListener("click", () => page.drawer(!document.body.classList.contains("drawer")));
$("scrim").addEventListener("click", () => page.drawer(false));
$("jump").addEventListener("click", () => page.state && openPalette(page));
$("person").addEventListener("change", () => page.become($("person").value));
document.addEventListener("click", follow);
listen(page);
walkTabs(page);
keepEndInView($("messages"));
[page.place, page.marked, page.thread] = linked(new URL(location.href)) ?? [page.place, null, null];
poll();
