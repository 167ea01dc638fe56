// What makes pages handier with JavaScript. All of them work without.
"use strict";

(() => {
  // Copy buttons appear where they can work.
  const offerCopies = (root) => {
    for (const b of root.querySelectorAll("button[data-copy]")) {
      if (navigator.clipboard) b.hidden = false;
    }
  };
  document.addEventListener("click", async (e) => {
    const b = e.target.closest("button[data-copy]");
    if (!b) return;
    const before = b.textContent;
    await navigator.clipboard.writeText(b.parentElement.querySelector("pre").textContent);
    b.textContent = "Copied";
    setTimeout(() => { b.textContent = before; }, 1500);
  });

  // "/" goes to the search field, Ctrl+Enter in the editor goes on.
  document.addEventListener("keydown", (e) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName);
    if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey && !e.altKey) {
      const s = document.querySelector("input[type=search]");
      if (s) { e.preventDefault(); s.focus(); s.select(); }
    }
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey) && e.target.form && e.target.closest(".editor")) {
      e.target.form.requestSubmit(e.target.form.querySelector("button.primary"));
    }
  });

  // The editor's colours: a copy of its text, cut into words of some kinds, behind it.
  const kinds = {
    RunShellScript: [/(^|\s)(#[^\n]*)/y, /\b(if|then|else|elif|fi|for|while|until|do|done|case|esac|in|function|return|exit|export|local|set|trap|readonly|shift|break|continue)\b/y, /\$(\{[^}\n]*\}|\w+|[@*#?$!-])/y],
    RunBatScript: [/(^|\n)\s*((?:rem\b|::)[^\n]*)/iy, /\b(if|else|for|in|do|goto|call|set|setlocal|endlocal|exit|echo|not|exist|defined)\b/iy, /%[^%\s]+%|%~?\w/y],
    RunPowerShellScript: [/(^|\s)(#[^\n]*)/y, /\b(if|else|elseif|foreach|for|while|do|switch|function|param|return|try|catch|finally|throw|in|break|continue|exit)\b/iy, /\$[\w:]+|\$\{[^}\n]*\}/y],
  };
  const parameter = /\{\{[^{}\n]*\}\}/y;
  const string = /"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
  const at = (re, text, i) => { re.lastIndex = i; return re.exec(text); };
  const light = (pre, text, kind) => {
    const [comment, keyword, variable] = kinds[kind] || kinds.RunShellScript;
    const out = document.createDocumentFragment();
    let plain = "";
    const flush = () => { if (plain) { out.append(plain); plain = ""; } };
    const put = (cls, s) => { flush(); const e = document.createElement("span"); e.className = cls; e.textContent = s; out.append(e); };
    for (let i = 0; i < text.length;) {
      const word = i === 0 || !/\w/.test(text[i - 1]);
      let m;
      if ((m = at(parameter, text, i))) put("p", m[0]);
      else if ((m = at(comment, text, i))) { plain += m[0].slice(0, m[0].length - m[2].length); put("m", m[2]); }
      else if ((m = at(string, text, i))) put("s", m[0]);
      else if ((m = at(variable, text, i))) put("v", m[0]);
      else if (word && (m = at(keyword, text, i))) put("k", m[0]);
      else { plain += text[i++]; continue; }
      i += m[0].length;
    }
    flush();
    out.append("\n");
    pre.replaceChildren(out);
  };
  const openEditors = (root) => {
    for (const box of root.querySelectorAll(".editor:not(.lit)")) {
      const area = box.querySelector("textarea");
      const pre = document.createElement("pre");
      pre.setAttribute("aria-hidden", "true");
      box.prepend(pre);
      const kind = () => (area.form.querySelector("[name=type]:checked") || area.form.querySelector("select[name=type]") || {}).value;
      const draw = () => { light(pre, area.value, kind()); pre.scrollTop = area.scrollTop; };
      area.addEventListener("input", draw);
      area.addEventListener("scroll", () => { pre.scrollTop = area.scrollTop; });
      area.form.addEventListener("change", draw);
      box.classList.add("lit");
      draw();
    }
  };

  // Output that runs stays at its end for as long as the reader is there.
  document.addEventListener("htmx:sseBeforeMessage", (e) => {
    const out = document.querySelector(".out[data-follow]");
    if (out && e.target.contains(out)) out.dataset.end = out.scrollHeight - out.scrollTop - out.clientHeight < 40 ? "1" : "";
  });
  document.addEventListener("htmx:sseMessage", () => {
    const out = document.querySelector(".out[data-follow]");
    if (out && out.dataset.end !== "") out.scrollTop = out.scrollHeight;
  });

  // Buttons that pick all boxes of a form.
  document.addEventListener("change", (e) => {
    if (!e.target.matches("input[data-all]")) return;
    for (const b of e.target.form.querySelectorAll("input[name=on]")) b.checked = e.target.checked;
  });

  const prepare = (root) => { offerCopies(root); openEditors(root); };
  document.addEventListener("DOMContentLoaded", () => {
    prepare(document);
    const here = document.querySelector(".menu [aria-current]"); // on a phone the menu is wider than the screen
    if (here) here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;
  });
  document.addEventListener("htmx:load", (e) => prepare(e.target));
})();
