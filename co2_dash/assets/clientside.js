// What the browser does by itself: asks whether there is something new, loads the table library
// when a table is first opened, hands choices to the charts they are about, and hides what was made
// for another choice.
(function () {
  "use strict";

  // A reader is told within ten seconds of the first request that had no answer.
  const ANSWER_WITHIN_MS = 4000;
  const ASK_AGAIN_AFTER_MS = 5000;
  const LONGEST_PAUSE_MS = 30000;
  const CLOCK = new Intl.DateTimeFormat("en-GB", {
    timeZone: "Europe/Copenhagen",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  });
  const WHOLE = "DK";
  // The path under which a proxy shows these pages; empty for the root of its host.
  const entryPoint = document.getElementById("react-entry-point");
  const PREFIX = (entryPoint && entryPoint.dataset.prefix) || "";
  const GRID_LIBRARY = PREFIX + "/_dash-component-suites/dash_ag_grid/dash_ag_grid.min.js";
  let lastAnswer = Date.now();
  let isAsking = false;
  let isLeaving = false;
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

  // What the component with this id has chosen now: the component library keeps the value of a list in
  // a hidden field after it.
  function chosen(id) {
    const part = document.getElementById(id);
    const list = part && part.closest(".mantine-Select-root");
    const field = list ? list.nextElementSibling : part && part.querySelector("input:checked");
    return field ? field.value : undefined;
  }

  // A part of a page says in data-for which choices it was made for. It is hidden while others are shown.
  function markWaiting() {
    document.querySelectorAll("[data-for]").forEach(function (part) {
      const waits = Object.entries(JSON.parse(part.dataset.for)).some(function (choice) {
        const now = chosen(choice[0]);
        return now !== undefined && now !== choice[1];
      });
      if (!waits) {
        delete part.dataset.waiting;
        part.removeAttribute("aria-busy");
      } else if (!part.dataset.waiting) {
        part.dataset.waiting = "new";
        part.setAttribute("aria-busy", "true");
      }
    });
  }

  // Before the browser shows what has changed.
  new MutationObserver(markWaiting).observe(document.documentElement, {
    attributeFilter: ["value", "data-for", "data-active"],
    childList: true,
    subtree: true,
  });
  document.addEventListener("change", markWaiting);

  // On a phone the row of links is wider than the screen: the link of this page comes into view.
  new MutationObserver(function () {
    const active = document.querySelector(".nav-link[data-active]");
    const row = active && active.closest(".nav");
    if (row && row.dataset.shown !== active.href) {
      row.dataset.shown = active.href;
      const [link, all] = [active.getBoundingClientRect(), row.getBoundingClientRect()];
      row.scrollLeft += link.left + link.width / 2 - (all.left + all.width / 2);
    }
  }).observe(document.documentElement, { attributeFilter: ["data-active"], childList: true, subtree: true });

  // Requests that had no answer are made again once the server answers.
  const PARTS = "/_dash-update-component";
  const missed = { page: false, parts: false };
  const plainFetch = window.fetch;

  async function askTokens() {
    const limit = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const answer = await plainFetch(PREFIX + "/token", { cache: "no-store", signal: limit });
    const tokens = answer.ok ? await answer.json() : {};
    if (!tokens.data) {
      throw new Error("an answer without tokens, status " + answer.status);
    }
    lastAnswer = Date.now();
    return tokens;
  }

  // A browser that leaves a page ends its requests, which says nothing of the server.
  window.addEventListener("pagehide", function () {
    isLeaving = true;
  });
  window.addEventListener("pageshow", function () {
    isLeaving = false;
  });

  // The words stand in the bar that is always in view, and in each part that waits.
  function sayLost(isLost) {
    if (isLeaving) {
      return;
    }
    if (isLost) {
      setInert(false);
    }
    const since = CLOCK.format(lastAnswer);
    document.documentElement.toggleAttribute("data-lost", isLost);
    window.dash_clientside.set_props("offline", {
      children: isLost ? "No answer from the server since " + since + ": what you see may be old." : "",
    });
  }

  // After a request without an answer: asks until there is one, then lets the poll fetch what was missed.
  async function askUntilAnswered() {
    if (isAsking) {
      return;
    }
    isAsking = true;
    let pause = ASK_AGAIN_AFTER_MS;
    for (;;) {
      try {
        await askTokens();
        break;
      } catch (error) {
        sayLost(true);
        // Not all readers at once, and less often the longer it lasts.
        const wait = pause * (0.5 + Math.random());
        await new Promise(function (resolve) {
          window.setTimeout(resolve, wait);
        });
        pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
      }
    }
    isAsking = false;
    if (document.documentElement.hasAttribute("data-lost")) {
      sayLost(false);
      window.dash_clientside.set_props("poll", { n_intervals: -lastAnswer });
    }
  }

  function setInert(isInert) {
    const main = document.getElementById("main");
    if (main) {
      main.inert = isInert;
    }
  }

  // While another page is awaited, the one before takes no choices: they would go with it. Only the page asked
  // for last counts: the answer to an earlier request may never come.
  let awaited = null;

  function awaitPage(answer) {
    const drawn = function () {
      window.setTimeout(function () {
        if (awaited === answer) {
          setInert(false);
        }
      }, 100);
    };
    awaited = answer;
    setInert(true);
    answer
      .then(function (response) {
        return response.clone().text();
      })
      .then(drawn, drawn);
  }

  window.fetch = function (resource, options) {
    const answer = plainFetch.apply(this, arguments);
    if (String(resource.url || resource).includes(PARTS)) {
      const asked = String((options || {}).body);
      const isPage = asked.includes('"_pages_content.');
      const slow = window.setTimeout(askUntilAnswered, ANSWER_WITHIN_MS);
      const miss = function () {
        missed[isPage ? "page" : "parts"] = true;
        askUntilAnswered();
      };
      // The server is busy or broken; what it does not understand it would refuse again.
      answer
        .then(function (response) {
          if (response.status === 429 || response.status >= 500) {
            miss();
          } else {
            lastAnswer = Date.now();
          }
        }, miss)
        .finally(function () {
          window.clearTimeout(slow);
        });
      // The focus stays in the page when only its address has another query.
      if (asked.includes('"changedPropIds":["_pages_location.pathname"')) {
        awaitPage(answer);
      }
    }
    return answer;
  };

  // Notes which parts still wait; true when one of them, which `within` finds, waited at the last poll already.
  function waitsLong(within) {
    let long = false;
    document.querySelectorAll(within).forEach(function (part) {
      long = long || part.dataset.waiting === "long";
      part.dataset.waiting = "long";
    });
    return long;
  }

  function askAgain() {
    const page = waitsLong(".area-choice[data-waiting]") || missed.page;
    const parts = waitsLong("[data-waiting]:not(.area-choice)") || missed.parts;
    missed.page = missed.parts = false;
    if (page) {
      // The address has the choice of the area and the page already.
      window.location.reload();
    }
    return parts;
  }

  const unchanged = function (value, old) {
    return value === old ? window.dash_clientside.no_update : value;
  };

  // The query of an address with another choice; the usual choice is left out.
  function withChoice(query, name, value, usual) {
    const choices = new URLSearchParams(query);
    if (value === usual) {
      choices.delete(name);
    } else {
      choices.set(name, value);
    }
    const text = choices.toString();
    return text ? "?" + text : "";
  }

  function leading(links, query) {
    return links.map(function (link) {
      return PREFIX + link.path + query;
    });
  }

  // The reader's area: it is kept in this browser, and the address has it unless it is the whole country.
  const AREA_KEY = "co2-area";
  const AREA_NAMES = ["area", "price_area"];

  function asksFor(query) {
    const choices = new URLSearchParams(query);
    const asked = AREA_NAMES.flatMap(function (name) {
      return choices.getAll(name);
    });
    return asked.filter(Boolean);
  }

  // As the server reads the address: the whole country where it names no area or more than one.
  function areaIn(query, options) {
    const known = options.map(function (option) {
      return option.value;
    });
    const names = new Set(
      asksFor(query).map(function (name) {
        return known.find(function (one) {
          return one.toUpperCase() === name.toUpperCase();
        });
      })
    );
    return (names.size === 1 && [...names][0]) || WHOLE;
  }

  function withArea(query, area) {
    return withChoice(withChoice(query, "price_area", null, null), "area", area, WHOLE);
  }

  // The mark hides the question.
  function rememberArea(area) {
    document.documentElement.dataset.areaChosen = area;
    try {
      window.localStorage.setItem(AREA_KEY, area);
    } catch (error) {
      console.info("The area is not remembered: this browser keeps nothing.");
    }
  }

  function rememberedArea() {
    try {
      return window.localStorage.getItem(AREA_KEY);
    } catch (error) {
      // Nothing can be kept here, so the page asks at each visit.
      return null;
    }
  }

  // Before the page is made, so that it is made once. What the address names comes first.
  function followRememberedArea() {
    const entry = document.getElementById("react-entry-point");
    const area = rememberedArea();
    if (!entry || !(entry.dataset.areas || "").split(" ").includes(area)) {
      return;
    }
    document.documentElement.dataset.areaChosen = area;
    const now = window.location;
    if (!asksFor(now.search).length && area !== WHOLE) {
      const address = now.pathname + withArea(now.search, area) + now.hash;
      window.history.replaceState(window.history.state, "", address);
    }
  }

  followRememberedArea();

  // What the first document says is of the area of its address. Its sketch is kept for the place of the chart,
  // whose library is the largest part of the page.
  function keepSketch() {
    const first = document.querySelector("._dash-loading .first");
    const now = document.getElementById("react-entry-point");
    const areas = ((now && now.dataset.areas) || "").split(" ").map(function (name) {
      return { value: name };
    });
    if (first && first.dataset.area !== areaIn(window.location.search, areas)) {
      first.remove();
      return;
    }
    const sketch = first && first.querySelector(".sketch");
    if (!sketch) {
      return;
    }
    const observer = new MutationObserver(function () {
      const place = document.querySelector('.chart[id*="forecast"]');
      if (place) {
        observer.disconnect();
        place.append(sketch.cloneNode(true));
      }
    });
    observer.observe(document.documentElement, { childList: true, subtree: true });
  }

  keepSketch();

  document.addEventListener("click", function (event) {
    const answer = event.target.closest && event.target.closest("[data-answer]");
    if (!answer) {
      return;
    }
    rememberArea(answer.dataset.answer);
    // For the whole country, which is shown already, this changes nothing.
    window.dash_clientside.set_props("area", { value: answer.dataset.answer });
    // The button is gone; the reader goes on with the page.
    document.getElementById("main").focus({ preventScroll: true });
  });

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    pages: {
      theme: scheme,
      markTitle: markTitle,

      poll: async function (_count, dataToken, clockToken) {
        const keep = window.dash_clientside.no_update;
        try {
          const tokens = await askTokens();
          if (document.documentElement.hasAttribute("data-lost")) {
            sayLost(false);
          }
          // Whatever follows the mark makes another token, for which all parts are asked for again.
          const mark = askAgain() ? "#" + lastAnswer : "";
          const data = unchanged(tokens.data, String(dataToken).split("#")[0]);
          return [mark ? tokens.data + mark : data, unchanged(tokens.clock, clockToken)];
        } catch (error) {
          askUntilAnswered();
          return [keep, keep];
        }
      },

      showUnzoom: function (view) {
        const zoomed = Object.keys(view || {}).some(function (name) {
          return name.includes(".range");
        });
        return zoomed ? "inline-block" : "none";
      },

      unzoom: function (_clicks, button) {
        const chart = document.querySelector('[id*=\'"chart":"' + button.chart + '"\'] .js-plotly-plot');
        if (chart) {
          window.Plotly.relayout(chart, { "xaxis.autorange": true });
        }
        return window.dash_clientside.no_update;
      },

      openTable: async function (clicks) {
        const open = (clicks || 0) % 2 === 1;
        if (open) {
          await loadGrid();
        }
        return [open, open ? "Hide the table" : "Read as table", String(open)];
      },

      chooseArea: function (area, options) {
        const now = window.location.search;
        // A list that was just drawn shows the area of the address, which nobody has chosen.
        if (area === areaIn(now, options)) {
          return window.dash_clientside.no_update;
        }
        rememberArea(area);
        return withArea(now, area);
      },

      keepArea: function (address, links) {
        return leading(links, address || "");
      },

      // Each answer writes the deadline anew, also the same one: that is no other choice.
      chooseHours: function (hours, duration, before, old) {
        const same = old.hours === hours && old.duration === duration && old.before === before;
        return same
          ? window.dash_clientside.no_update
          : { hours: hours, duration: duration, before: before };
      },

      // The page stays as it is: the address is for a link, and for when the page is loaded again.
      keepChoices: function () {
        const [links, usual] = [...arguments].slice(-2);
        const now = window.location;
        const query = window.dash_clientside.callback_context.inputs_list.reduce(function (query, input) {
          const name = input.id.name;
          return withChoice(query, name, input.value, usual[name]);
        }, now.search);
        if (query !== now.search) {
          window.history.replaceState(window.history.state, "", now.pathname + query + now.hash);
        }
        return leading(links, query);
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
