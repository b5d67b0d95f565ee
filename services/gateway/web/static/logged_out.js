// When the server hangs up on this page, or takes it in no more, the login may be over: then the form is shown.
(() => {
  let asking = false;

  async function ask() {
    if (asking) return;
    asking = true;
    try {
      const answer = await fetch("/v1/session", { cache: "no-store" });
      if (answer.ok && !(await answer.json()).logged_in) location.assign("/login?next=" + encodeURIComponent(location.pathname));
    } catch {
      // The server is away: the page says so by itself, and the next try to connect asks again.
    } finally {
      asking = false;
    }
  }

  // The page's framework makes its socket a moment after this is read.
  const waiting = setInterval(() => {
    if (!window.socket) return;
    clearInterval(waiting);
    window.socket.on("disconnect", ask);
    window.socket.on("connect_error", ask);
  }, 100);
})();
