// Asks each application what it says to this visitor, and writes the answer next to its link.

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

// The same over a websocket: what it says first, or that it was refused.
function connect(status) {
  // A path alone is an address only to the browsers of the last years.
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
