// Shows the page in the language that was chosen last, unless the address names one. Runs before the page is drawn,
// so that it does not flash by in another language.

(() => {
  const KEY = "language";
  // Where the browser keeps nothing for this page, storage throws.
  const stored = (use) => {
    try {
      return use(localStorage);
    } catch {
      return null;
    }
  };
  const address = new URL(location.href);
  const chosen = stored((storage) => storage.getItem(KEY));
  if (chosen && /^[a-z]{2}$/.test(chosen) && !address.searchParams.has("lang") && chosen !== document.documentElement.lang) {
    address.searchParams.set("lang", chosen);
    location.replace(address);
  }

  addEventListener("DOMContentLoaded", () => {
    const menu = document.getElementById("languages");
    menu.addEventListener("click", (event) => {
      const link = event.target.closest("a[hreflang]");
      if (link) stored((storage) => storage.setItem(KEY, link.hreflang));
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
    addEventListener("click", (event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
})();
