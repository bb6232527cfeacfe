// Keys go to the app at once, without a click on it first: as soon as it has drawn, not before there is a connection.
const drawn = new MutationObserver(() => {
  if (document.body.classList.contains("-first-byte")) {
    drawn.disconnect();
    document.querySelector(".xterm-helper-textarea").focus();
  }
});
drawn.observe(document.body, { attributes: true });
