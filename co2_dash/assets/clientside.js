// What the browser does by itself: asks whether there is something new, loads the table library
// when a table is first opened, and hands choices to the charts they are about.
(function () {
  "use strict";

  const OFFLINE_AFTER_MS = 90000;
  const GRID_LIBRARY = "/_dash-component-suites/dash_ag_grid/dash_ag_grid.min.js";
  let lastAnswer = Date.now();
  let gridLibrary = null;

  function loadGrid() {
    if (window.dash_ag_grid) {
      return Promise.resolve();
    }
    if (!gridLibrary) {
      gridLibrary = new Promise(function (resolve, reject) {
        const script = document.createElement("script");
        script.src = GRID_LIBRARY;
        script.onload = resolve;
        script.onerror = function () {
          gridLibrary = null;
          reject(new Error("the table library could not be loaded"));
        };
        document.head.appendChild(script);
      });
    }
    return gridLibrary;
  }

  // The component library writes the scheme in force, the reader's choice or the system's, here.
  const SCHEME = "data-mantine-color-scheme";

  function scheme() {
    const name = document.documentElement.getAttribute(SCHEME) === "dark" ? "dark" : "light";
    document.body.dataset.agThemeMode = name;
    return name;
  }

  new MutationObserver(function () {
    if (document.getElementById("scheme")) {
      window.dash_clientside.set_props("theme", { data: scheme() });
    }
  }).observe(document.documentElement, { attributeFilter: [SCHEME] });

  // The document's title begins with the badge's words, unless the data are live: the badge of a tab.
  let mark = "";

  function markTitle() {
    const badge = document.querySelector("#origin .origin");
    const plain = document.title.startsWith(mark) ? document.title.slice(mark.length) : document.title;
    mark = badge && badge.dataset.live !== "true" ? badge.textContent + " · " : "";
    if (document.title !== mark + plain) {
      document.title = mark + plain;
    }
    return mark;
  }

  new MutationObserver(markTitle).observe(document.head, { childList: true, subtree: true, characterData: true });

  const unchanged = function (value, old) {
    return value === old ? window.dash_clientside.no_update : value;
  };

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    pages: {
      theme: scheme,
      markTitle: markTitle,

      poll: async function (_count, dataToken, clockToken) {
        const keep = window.dash_clientside.no_update;
        try {
          const answer = await fetch("/token", { cache: "no-store" });
          if (!answer.ok) {
            throw new Error("status " + answer.status);
          }
          const tokens = await answer.json();
          if (!tokens.data) {
            throw new Error("an answer without tokens");
          }
          lastAnswer = Date.now();
          return [unchanged(tokens.data, dataToken), unchanged(tokens.clock, clockToken), ""];
        } catch (error) {
          const lost = Date.now() - lastAnswer > OFFLINE_AFTER_MS;
          return [keep, keep, lost ? "No answer from the server: this page is no longer kept up to date." : keep];
        }
      },

      openTable: async function (clicks) {
        const open = (clicks || 0) % 2 === 1;
        if (open) {
          await loadGrid();
        }
        return [open, open ? "Hide the table" : "Read as table", String(open)];
      },

      chooseArea: function (area, address) {
        const chosen = area === "DK" ? "" : "?area=" + encodeURIComponent(area);
        return unchanged(chosen, address || "");
      },

      keepArea: function (address, links) {
        return links.map(function (link) {
          return link.path + (address || "");
        });
      },

      choose: function () {
        const context = window.dash_clientside.callback_context;
        const chosen = {};
        context.inputs_list.forEach(function (input) {
          chosen[input.id.name] = input.value;
        });
        return context.outputs_list.map(function () {
          return chosen;
        });
      },
    },
  });
})();
