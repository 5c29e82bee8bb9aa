// Light, dark, or as the system says. Not a module: it runs before anything is drawn.

(() => {
  const root = document.documentElement;
  const ORDER = ["system", "light", "dark"];
  const SAID = { system: "as the system", light: "light", dark: "dark" };

  const remembered = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // Without storage the choice lasts as long as the page.
    }
  };

  const wear = (theme) => {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (!button) return;
    const said = `Colours: ${SAID[theme]}`;
    button.setAttribute("aria-label", said);
    button.title = said;
  };

  const turn = () => {
    const theme = ORDER[(ORDER.indexOf(root.dataset.theme) + 1) % ORDER.length];
    wear(theme);
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // As above.
    }
  };

  wear(ORDER.includes(remembered()) ? remembered() : "system");
  document.addEventListener("DOMContentLoaded", () => {
    wear(root.dataset.theme);
    document.getElementById("theme").addEventListener("click", turn);
  });
})();
