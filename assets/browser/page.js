// Keys reach the terminal without a click on it first, once it is connected: textual.js sends the focus to its server.
new MutationObserver((_, observer) => {
  if (document.body.classList.contains("-loaded")) {
    observer.disconnect();
    document.querySelector(".xterm-helper-textarea").focus();
  }
}).observe(document.documentElement, { subtree: true, attributeFilter: ["class"] });
