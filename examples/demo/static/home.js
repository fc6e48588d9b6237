// Asks each application who the visitor is, and writes the answer next to its link.

async function ask(status) {
  const response = await fetch(status.dataset.ask, { headers: { Accept: "application/json" } });
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  const body = isJson ? await response.json() : {};
  status.classList.add(response.ok ? "open" : "shut");
  status.textContent = `${response.status} ${body.user ?? body.error ?? "open"}`;
}

for (const status of document.querySelectorAll("[data-ask]")) {
  ask(status).catch(() => { status.textContent = "no answer"; });
}

// Does the same over a websocket: writes its first message, or that it was refused.
function connect(status) {
  // Older browsers do not accept a path alone as the address of a websocket.
  const socket = new WebSocket(new URL(status.dataset.connect, location.href.replace(/^http/, "ws")));
  socket.onmessage = (message) => {
    status.classList.add("open");
    status.textContent = message.data;
  };
  socket.onerror = () => {
    status.classList.add("shut");
    status.textContent = "refused";
  };
}

document.querySelectorAll("[data-connect]").forEach(connect);

// Holds an access token, refreshes it, and shows what an application does with it.

const field = (name) => document.querySelector(`[data-token="${name}"]`);
let count = 0;

async function take(path) {
  const answer = await fetch(path, { method: "POST" });
  if (answer.status >= 500) throw new Error("try again later");
  if (!answer.ok) return false;
  const { access_token: token, expires_in: seconds } = await answer.json();
  field("end").textContent = `…${token.slice(-12)}`;
  field("expires").textContent = new Date(Date.now() + seconds * 1000).toLocaleTimeString();
  const me = await fetch("/asgi/me", { headers: { Authorization: `Bearer ${token}`, Accept: "application/json" } });
  field("me").textContent = `${me.status} ${(await me.json()).user ?? ""}`;
  return true;
}

async function refresh() {
  if (await take("/tokens/refresh")) {
    count += 1;
    field("count").textContent = `${count} ${count === 1 ? "time" : "times"}`;
  } else if (!(await take("/tokens/start"))) {
    location = "/login?next=/tokens";
  }
}

if (field("refresh")) {
  const quietly = () => refresh().catch(() => { field("me").textContent = "no answer"; });
  field("refresh").addEventListener("click", quietly);
  setInterval(quietly, 10_000);
  quietly();
}
